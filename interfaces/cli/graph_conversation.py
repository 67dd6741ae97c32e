"""A conversation with a graph of the user's own, for `turngraph chat agent.py:app`."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessage
from langgraph.types import Command
from rich.console import Console

from turngraph.interfaces.cli.graph_argument import graph_input
from turngraph.interfaces.cli.threads import open_async_history, with_history
from turngraph.interfaces.outcomes import why_no_answer
from turngraph.interfaces.plain_text import one_line, printable
from turngraph.interfaces.stepper.views.questions import is_approval, question_text
from turngraph.state.result import TurnResult

if TYPE_CHECKING:
    from langchain_core.messages import AnyMessage
    from langchain_core.runnables import RunnableConfig

    from turngraph.interfaces.user_graphs.loading import Graph, LoadedGraph

__all__ = ["GraphConversation"]


@dataclass(frozen=True)
class GraphConversation:
    """One thread of a graph. A graph without a checkpointer is given that of `file`."""

    loaded: "LoadedGraph"
    context: Any
    """What the nodes read from `runtime.context`."""
    thread: str
    file: Path
    err: Console

    def handle(self, question: str) -> bool:
        """Runs the graph on a question, or on the answer to its own. Returns whether it answered.

        What the graph raises is told in one sentence.
        """
        try:
            return asyncio.run(self._run(question))
        except KeyboardInterrupt:
            print("turngraph: cancelled", file=sys.stderr)
        except Exception as exc:  # noqa: BLE001  the user's own graph may raise anything
            text = one_line(str(exc), 2_000)
            print(f"turngraph: {type(exc).__name__}: {text}", file=sys.stderr)
        return False

    async def messages(self) -> "Sequence[AnyMessage]":
        """Returns the messages of the thread so far."""
        async with self._opened() as graph:
            state = await graph.aget_state(self._config)
        messages: Sequence[AnyMessage] = state.values.get("messages", ())
        return messages

    async def _run(self, line: str) -> bool:
        async with self._opened() as graph:
            state = await graph.aget_state(self._config)
            before = len(state.values.get("messages", ()))
            given: Any = Command(resume=_json_or_text(line))
            if not state.interrupts:
                given = graph_input(graph, line, None)
            output = await graph.ainvoke(given, self._config, context=self.context)
            asked = (await graph.aget_state(self._config)).interrupts
        self._print(output, before)
        for each in asked:
            question = printable(question_text(each.value))
            how = ": approve or reject" if is_approval(each.value) else ""
            text = f"{question} (Your next line answers it{how}.)"
            self.err.print(text, style="yellow", markup=False)
        return self._succeeded(output)

    def _print(self, output: Mapping[str, Any], before: int) -> None:
        """Prints the last answer on standard output, and the tools that were called beside it."""
        messages = [each for each in output["messages"][before:] if isinstance(each, AIMessage)]
        for message in messages:
            for call in message.tool_calls:
                arguments = one_line(json.dumps(call["args"], ensure_ascii=False), 100)
                self.err.print(f"→ {call['name']}({arguments})", style="cyan", markup=False)
        if messages and messages[-1].text:
            print(printable(messages[-1].text), flush=True)

    def _succeeded(self, output: Mapping[str, Any]) -> bool:
        result = output.get("result")
        if not isinstance(result, TurnResult) or result.ok:
            return True
        sentence = why_no_answer(result.status, result.error, result.refusal)
        print(f"turngraph: {sentence}", file=sys.stderr)
        return False

    @property
    def _config(self) -> "RunnableConfig":
        return {"configurable": {"thread_id": self.thread}}

    @asynccontextmanager
    async def _opened(self) -> "AsyncIterator[Graph]":
        async with open_async_history(self.file) as saver:
            yield with_history(self.loaded.graph, saver, self.loaded.owner)


def _json_or_text(line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return line
