"""The tools of a turn: built once, shown to the model, checked and run when it calls them.

>>> def double(n: int) -> int:
...     "Twice the number."
...     return 2 * n
>>> box = Toolbox.of([double])
>>> box.run("double", {"n": 21}, call_id="c1", timeout_s=5).content
'42'
"""

import asyncio
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from langchain_core.runnables.config import ensure_config
from langchain_core.tools import BaseTool

from turngraph.state.arguments import parse_arguments
from turngraph.state.errors import (
    ToolArgumentsError,
    ToolTimeoutError,
    TurnConfigurationError,
    UnknownToolError,
)
from turngraph.state.reply import ToolCall
from turngraph.state.request import ToolSpec
from turngraph.tools.arguments import check_arguments, compile_schema
from turngraph.tools.failures import failed
from turngraph.tools.injection import Injection, injection_of
from turngraph.tools.output import ToolOutput, as_output
from turngraph.tools.retries import Attempts, Retry
from turngraph.tools.running import BackgroundLoop, Outcome, in_task, in_thread, in_thread_async
from turngraph.tools.tool_adapter import adopt, is_async_only, is_async_too, spec_of

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

__all__ = ["Toolbox"]


@dataclass(frozen=True, slots=True)
class Entry:
    """A tool, and what was found out about it when the toolbox was built."""

    tool: BaseTool
    spec: ToolSpec
    validator: "Validator"
    injection: Injection
    retry: Retry | None = None


@dataclass(frozen=True)
class Toolbox:
    """The tools one turn may call. Immutable; safe to share between turns, threads and event loops."""

    entries: Mapping[str, Entry] = field(default_factory=dict)
    _background: BackgroundLoop = field(default_factory=BackgroundLoop, repr=False, compare=False)

    @classmethod
    def of(
        cls,
        tools: Sequence[BaseTool | Callable[..., Any] | str] = (),
        *,
        retries: Mapping[str, Retry] = MappingProxyType({}),
    ) -> "Toolbox":
        """A toolbox of LangChain tools, typed functions, and names of built-ins; `retries` by name
        of the tool.

        Raises TurnConfigurationError for a name no vendor takes, a name used twice, an unknown
        built-in, a function without types, a schema that is none, a retry for a tool there is not.
        """
        entries: dict[str, Entry] = {}
        for given in tools:
            entry = _entry(adopt(given), retries)
            if entry.spec.name in entries:
                raise TurnConfigurationError(
                    f"Two tools are named `{entry.spec.name}`; rename one of them."
                )
            entries[entry.spec.name] = entry
        for name in retries.keys() - entries.keys():
            raise TurnConfigurationError(f"There is a retry for `{name}`, and no such tool.")
        return cls(MappingProxyType(entries))

    @property
    def specs(self) -> tuple[ToolSpec, ...]:
        """The tools as the model is shown them, injected arguments left out."""
        return tuple(entry.spec for entry in self.entries.values())

    def only(self, names: Collection[str]) -> "Toolbox":
        """The tools among `names` alone, in their order here: what one request offers."""
        kept = {name: entry for name, entry in self.entries.items() if name in names}
        return Toolbox(MappingProxyType(kept), self._background)

    def __contains__(self, name: object) -> bool:
        return name in self.entries

    def __iter__(self) -> Iterator[BaseTool]:
        return (entry.tool for entry in self.entries.values())

    def __len__(self) -> int:
        return len(self.entries)

    def wants_state(self, name: str) -> bool:
        """Whether the tool has an argument that is filled from the state of the turn."""
        entry = self.entries.get(name)
        return entry is not None and bool(entry.injection.state or entry.injection.runtime)

    def idempotent(self, name: str) -> bool:
        """Whether the tool may run again where nobody knows if it ran: unless its metadata says
        `idempotent: False`.
        """
        entry = self.entries.get(name)
        return entry is None or (entry.tool.metadata or {}).get("idempotent") is not False

    def check(self, call: ToolCall) -> dict[str, Any]:
        """The arguments of `call`, read and held against the tool's schema; nothing is run.

        Raises UnknownToolError, or ToolArgumentsError naming the path, what was sent and what is
        allowed.
        """
        entry = self._entry(call.name)
        arguments = parse_arguments(call.arguments)
        check_arguments(call.name, arguments, entry.validator)
        hidden = entry.injection.hidden & arguments.keys()
        if hidden:
            raise ToolArgumentsError(
                f"`{min(hidden)}` is no argument of `{call.name}`; leave it out."
            )
        return arguments

    def run(
        self,
        name: str,
        args: Mapping[str, Any],
        *,
        call_id: str,
        timeout_s: float,
        state: Any = None,
    ) -> ToolOutput:
        """Run a tool and wait at most `timeout_s` seconds. `state` is what injected arguments see.

        A failing tool is an output with status `error`. Raises UnknownToolError, ToolTimeoutError,
        and what LangGraph itself throws through tools (`interrupt()`).
        """
        entry = self._entry(name)
        given = entry.injection.fill(args, call_id=call_id, state=state)
        attempts = Attempts[ToolOutput](entry.retry, timeout_s)
        while True:
            if is_async_only(entry.tool):
                outcome = self._background.run(
                    partial(_arun, entry, given, call_id), attempts.left_s
                )
            else:
                outcome = in_thread(partial(_run, entry, given, call_id), attempts.left_s)
            pause = attempts.pause_after(outcome)
            if pause is None:
                return _judge(name, outcome, timeout_s)
            time.sleep(pause)

    async def arun(
        self,
        name: str,
        args: Mapping[str, Any],
        *,
        call_id: str,
        timeout_s: float,
        state: Any = None,
    ) -> ToolOutput:
        """As `run`: an async tool on the running loop, a sync one in a thread of its own."""
        entry = self._entry(name)
        given = entry.injection.fill(args, call_id=call_id, state=state)
        attempts = Attempts[ToolOutput](entry.retry, timeout_s)
        while True:
            if is_async_too(entry.tool):
                outcome = await in_task(partial(_arun, entry, given, call_id), attempts.left_s)
            else:
                outcome = await in_thread_async(
                    partial(_run, entry, given, call_id), attempts.left_s
                )
            pause = attempts.pause_after(outcome)
            if pause is None:
                return _judge(name, outcome, timeout_s)
            await asyncio.sleep(pause)

    def close(self) -> None:
        """End the background loop, if one was started. The toolbox stays usable."""
        self._background.close()

    def _entry(self, name: str) -> Entry:
        if name not in self.entries:
            raise UnknownToolError(name, offered=self.entries)
        return self.entries[name]


def _entry(tool: BaseTool, retries: Mapping[str, Retry]) -> Entry:
    spec = spec_of(tool)
    return Entry(
        tool,
        spec,
        compile_schema(spec.name, spec.parameters),
        injection_of(tool),
        retries.get(spec.name),
    )


def _run(entry: Entry, given: dict[str, Any], call_id: str) -> ToolOutput:
    return as_output(entry.tool.run(given, **_settings(entry, call_id)))


async def _arun(entry: Entry, given: dict[str, Any], call_id: str) -> ToolOutput:
    return as_output(await entry.tool.arun(given, **_settings(entry, call_id)))


def _settings(entry: Entry, call_id: str) -> dict[str, Any]:
    """The configuration LangGraph put into the context, spelt as `BaseTool.run` wants it.

    With a call's id LangChain makes a ToolMessage, which is where artifact and status are found;
    without one the value comes back as the tool returned it, before LangChain writes what has no
    JSON form as `<object at 0x…>`.
    """
    config = ensure_config()
    tool = entry.tool
    in_message = tool.response_format == "content_and_artifact" or tool.handle_tool_error
    wanted = in_message or tool.handle_validation_error or entry.injection.call_id
    names = ("callbacks", "tags", "metadata", "run_name")
    return {name: config.get(name) for name in names} | {
        "config": config,
        "tool_call_id": call_id if wanted else None,
    }


def _judge(name: str, outcome: Outcome[ToolOutput], timeout_s: float) -> ToolOutput:
    """An outcome as the turn sees it: what failed is told, what LangGraph throws goes on up."""
    from langgraph.errors import GraphBubbleUp

    if outcome.late:
        raise ToolTimeoutError(name, timeout_s=timeout_s)
    if outcome.error is None:
        assert outcome.value is not None, "work that ended without an error has its output"
        return outcome.value
    if isinstance(outcome.error, GraphBubbleUp | KeyboardInterrupt):
        raise outcome.error
    return failed(name, outcome.error)
