"""Runs a tool the way LangChain does, and keeps the value that the tool's own code returned.

With a call id LangChain puts the value into a ToolMessage. What has no JSON form by itself, such as
a pydantic model, it writes as Python's own text (`x=1`), and a list loses its number of rows.
"""

import copy
from dataclasses import dataclass, field
from functools import wraps
from typing import Any

from langchain_core.messages.tool import ToolOutputMixin
from langchain_core.runnables.config import RunnableConfig
from langchain_core.tools import BaseTool

from turngraph.tools.output import ToolOutput, as_output, as_plain

__all__ = ["LangChainCall"]


@dataclass(slots=True)
class LangChainCall:
    """One call of a tool through `BaseTool.run` or `BaseTool.arun`.

    >>> from langchain_core.tools import tool
    >>> @tool(response_format="content_and_artifact")
    ... def find(name: str) -> tuple[dict[str, str], int]:
    ...     "Finds it."
    ...     return {"name": name}, 7
    >>> LangChainCall(find, "call_1", {}).run({"name": "Ann"})
    ToolOutput(content='{"name":"Ann"}', artifact=7, status='ok', truncated=False, rows=0, media=())
    """

    tool: BaseTool
    call_id: str
    config: RunnableConfig
    needs_id: bool = False
    """Whether the tool wants the id of the call as an argument."""
    returned: list[ToolOutput] = field(default_factory=list)

    def run(self, arguments: dict[str, Any]) -> ToolOutput:
        """Runs the tool. Raises what the tool raises, unless the tool handles its own errors."""
        if not self._makes_message:
            return as_output(self.tool.run(arguments, **self._options(None)))
        return self._output(self._kept().run(arguments, **self._options(self.call_id)))

    async def arun(self, arguments: dict[str, Any]) -> ToolOutput:
        """Async version of `run`."""
        if not self._makes_message:
            return as_output(await self.tool.arun(arguments, **self._options(None)))
        return self._output(await self._kept().arun(arguments, **self._options(self.call_id)))

    @property
    def _makes_message(self) -> bool:
        """Whether the call needs its id, so that LangChain makes a ToolMessage.

        Only a message carries an artifact, or says that the tool has handled an error.
        """
        tool = self.tool
        handles = tool.handle_tool_error or tool.handle_validation_error
        return bool(tool.response_format == "content_and_artifact" or handles or self.needs_id)

    def _options(self, call_id: str | None) -> dict[str, Any]:
        """Returns the config of the running graph as the keyword arguments of `BaseTool.run`."""
        names = ("callbacks", "tags", "metadata", "run_name")
        return {name: self.config.get(name) for name in names} | {
            "config": self.config,
            "tool_call_id": call_id,
        }

    def _kept(self) -> BaseTool:
        """Returns a copy of the tool that keeps what its code returns.

        The code itself runs on the original: a tool may count its calls.
        """
        tool, kept = self.tool, copy.copy(self.tool)

        @wraps(tool._run)
        def run(*args: Any, **kwargs: Any) -> Any:
            return self._keep(tool._run(*args, **kwargs))

        @wraps(tool._arun)
        async def arun(*args: Any, **kwargs: Any) -> Any:
            return self._keep(await tool._arun(*args, **kwargs))

        # Not by assignment, which pydantic refuses for names that begin with `_`.
        object.__setattr__(kept, "_run", run)
        object.__setattr__(kept, "_arun", arun)
        return kept

    def _keep(self, value: Any) -> Any:
        """Keeps `value`, and returns what LangChain gets instead of it: text or content blocks."""
        content, artifact, is_pair = value, None, self.tool.response_format != "content"
        if is_pair:
            if not isinstance(value, tuple) or len(value) != 2:
                return value  # LangChain raises, with a sentence
            content, artifact = value
        if _is_message(content):
            return value
        output = as_output(content)
        self.returned.append(output.model_copy(update={"artifact": as_plain(artifact)}))
        return (output.message_content, artifact) if is_pair else output.message_content

    def _output(self, result: Any) -> ToolOutput:
        # Nothing was kept where the tool handled an error, or made the message itself.
        return self.returned[-1] if self.returned else as_output(result)


def _is_message(content: object) -> bool:
    """Whether `content` is LangChain's own result of a tool, or a list of them."""
    each = content if isinstance(content, list) else [content]
    return bool(each) and all(isinstance(one, ToolOutputMixin) for one in each)
