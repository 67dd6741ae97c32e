"""The tools of a turn: built once, shown to the model, checked and run when the model calls them.

>>> def double(n: int) -> int:
...     "Returns twice the number."
...     return 2 * n
>>> box = Toolbox.of([double])
>>> box.run("double", {"n": 21}, call_id="c1", timeout_s=5).content
'42'
"""

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import Any

from langchain_core.runnables.config import RunnableConfig, ensure_config
from langchain_core.tools import BaseTool

from turngraph.state.argument_kinds import shown
from turngraph.state.arguments import parse_arguments
from turngraph.state.errors import (
    ToolArgumentsError,
    ToolTimeoutError,
    TurnConfigurationError,
    UnknownToolError,
)
from turngraph.state.json_types import JsonObject
from turngraph.state.quoting import quoted
from turngraph.state.reply import ToolCall
from turngraph.state.request import ToolSpec
from turngraph.tools.arguments import Validator, check_arguments, compile_schema
from turngraph.tools.direct_call import DirectCall, direct_call_of
from turngraph.tools.failures import error_output
from turngraph.tools.function_arguments import with_kept_arguments
from turngraph.tools.injection import Injection, find_injection
from turngraph.tools.langchain_call import LangChainCall
from turngraph.tools.output import ToolOutput, as_output
from turngraph.tools.retries import Retry, RetryLoop
from turngraph.tools.running import (
    BackgroundLoop,
    Outcome,
    run_as_task,
    run_in_thread,
    run_in_thread_async,
    sleep,
)
from turngraph.tools.text import backticked
from turngraph.tools.tool_adapter import (
    as_langchain_tool,
    has_no_sync_code,
    is_async_only,
    supports_async,
    tool_spec,
)

__all__ = ["Toolbox"]


@dataclass(frozen=True, slots=True)
class Entry:
    """A tool, and what was derived from it when the toolbox was built."""

    tool: BaseTool
    spec: ToolSpec
    validator: Validator
    injection: Injection
    direct_call: DirectCall | None
    retry: Retry | None = None


@dataclass(frozen=True)
class Toolbox:
    """The tools one turn may call. Immutable; safe to share between turns, threads and loops."""

    entries: Mapping[str, Entry] = field(default_factory=dict)
    _background: BackgroundLoop = field(default_factory=BackgroundLoop, repr=False, compare=False)

    @classmethod
    def of(
        cls,
        tools: Sequence[BaseTool | Callable[..., Any] | str] = (),
        *,
        retries: Mapping[str, Retry] = MappingProxyType({}),
    ) -> "Toolbox":
        """Returns a toolbox of LangChain tools, typed functions and names of built-in functions.

        `retries` maps the name of a tool to its retry policy.

        Raises TurnConfigurationError for a name that no vendor accepts, a name used twice, an
        unknown built-in, a function without types, an invalid schema, and a retry for a tool that
        is not in the box.
        """
        entries: dict[str, Entry] = {}
        for given in tools:
            entry = _entry(as_langchain_tool(given), retries)
            if entry.spec.name in entries:
                raise TurnConfigurationError(
                    f"Two tools are named `{entry.spec.name}`; rename one of them."
                )
            entries[entry.spec.name] = entry
        for name in retries.keys() - entries.keys():
            raise TurnConfigurationError(
                f"A retry is given for `{quoted(name)}`, but no tool has that name. "
                f"There are: {backticked(entries)}."
            )
        return cls(MappingProxyType(entries))

    @property
    def specs(self) -> tuple[ToolSpec, ...]:
        """The tools as the model sees them, without injected arguments."""
        return tuple(entry.spec for entry in self.entries.values())

    def only(self, names: Collection[str]) -> "Toolbox":
        """Returns a toolbox of the tools in `names`, in the order of this one."""
        kept = {name: entry for name, entry in self.entries.items() if name in names}
        return Toolbox(MappingProxyType(kept), self._background)

    def __contains__(self, name: object) -> bool:
        return name in self.entries

    def __iter__(self) -> Iterator[BaseTool]:
        return (entry.tool for entry in self.entries.values())

    def __len__(self) -> int:
        return len(self.entries)

    def wants_state(self, name: str) -> bool:
        """Whether the tool `name` has an argument that is filled from the state of the turn."""
        entry = self.entries.get(name)
        return entry is not None and bool(entry.injection.state or entry.injection.runtime)

    def idempotent(self, name: str) -> bool:
        """Whether the tool `name` may run again if nobody knows whether it ran.

        True unless the metadata of the tool says `idempotent: False`.
        """
        entry = self.entries.get(name)
        return entry is None or (entry.tool.metadata or {}).get("idempotent") is not False

    @property
    def unmarked(self) -> tuple[str, ...]:
        """The tools whose metadata do not say whether they are idempotent."""
        return tuple(
            name
            for name, entry in self.entries.items()
            if "idempotent" not in (entry.tool.metadata or {})
        )

    def check(self, call: ToolCall) -> JsonObject:
        """Returns the arguments of `call`, parsed and valid for the schema. Runs nothing.

        Raises UnknownToolError, or ToolArgumentsError with the path, the value and what is allowed.
        """
        entry = self._entry(call.name)
        arguments = parse_arguments(call.arguments)
        check_arguments(call.name, arguments, entry.validator)
        hidden = entry.injection.hidden & arguments.keys()
        if hidden:
            raise ToolArgumentsError(
                f"`{min(hidden)}` is not an argument of `{call.name}`; leave it out."
            )
        return arguments

    def run(
        self,
        name: str,
        args: Mapping[str, object],
        *,
        call_id: str,
        timeout_s: float,
        state: object = None,
    ) -> ToolOutput:
        """Runs the tool `name` for at most `timeout_s` seconds, all retries included.

        `state` fills the injected arguments. A tool that fails returns an output with the status
        `error`. Raises UnknownToolError, ToolTimeoutError, and what LangGraph itself raises through
        tools (`interrupt()`).
        """
        entry = self._entry(name)
        arguments = entry.injection.fill(args, call_id=call_id, state=state)
        attempts = RetryLoop[ToolOutput](entry.retry, timeout_s)
        while True:
            if is_async_only(entry.tool):
                work = partial(_arun, entry, arguments, call_id)
                outcome = self._background.run(work, attempts.remaining_s)
            else:
                outcome = run_in_thread(
                    partial(_run, entry, arguments, call_id), attempts.remaining_s
                )
                if has_no_sync_code(entry.tool, outcome.error):
                    work = partial(_arun, entry, arguments, call_id)
                    outcome = self._background.run(work, attempts.remaining_s)
            pause = attempts.pause_after(outcome)
            if pause is None:
                return _output_of(name, outcome, timeout_s)
            sleep(pause)

    async def arun(
        self,
        name: str,
        args: Mapping[str, object],
        *,
        call_id: str,
        timeout_s: float,
        state: object = None,
    ) -> ToolOutput:
        """Async version of `run`. An async tool runs on this loop, a sync tool in a thread."""
        entry = self._entry(name)
        arguments = entry.injection.fill(args, call_id=call_id, state=state)
        attempts = RetryLoop[ToolOutput](entry.retry, timeout_s)
        while True:
            if supports_async(entry.tool):
                outcome = await run_as_task(
                    partial(_arun, entry, arguments, call_id), attempts.remaining_s
                )
            else:
                outcome = await run_in_thread_async(
                    partial(_run, entry, arguments, call_id), attempts.remaining_s
                )
            pause = attempts.pause_after(outcome)
            if pause is None:
                return _output_of(name, outcome, timeout_s)
            await asyncio.sleep(pause)

    def close(self) -> None:
        """Ends the background loop, if one was started. The toolbox stays usable."""
        self._background.close()

    def _entry(self, name: str) -> Entry:
        if name not in self.entries:
            raise UnknownToolError(name, offered=self.entries)
        return self.entries[name]


def _entry(tool: BaseTool, retries: Mapping[str, Retry]) -> Entry:
    injection = find_injection(tool)
    spec = tool_spec(tool, injection.hidden)
    mark = (tool.metadata or {}).get("idempotent", True)
    if not isinstance(mark, bool):
        # `0` and `"no"` would be taken for yes, and the tool run twice.
        raise TurnConfigurationError(
            f"The mark `idempotent` of the tool `{spec.name}` is {shown(mark)}. Write True or "
            "False."
        )
    return Entry(
        tool,
        spec,
        compile_schema(spec.name, spec.parameters),
        injection,
        None if injection.hidden else direct_call_of(tool),
        retries.get(spec.name),
    )


def _run(entry: Entry, arguments: JsonObject, call_id: str) -> ToolOutput:
    config, direct = ensure_config(), entry.direct_call
    if direct is not None and direct.tool.func is not None and direct.is_unheard(config):
        return as_output(direct.tool.func(**direct.arguments(arguments)))
    return _langchain_call(entry, call_id, config).run(arguments)


async def _arun(entry: Entry, arguments: JsonObject, call_id: str) -> ToolOutput:
    config, direct = ensure_config(), entry.direct_call
    if direct is not None and direct.tool.coroutine is not None and direct.is_unheard(config):
        return as_output(await direct.tool.coroutine(**direct.arguments(arguments)))
    return await _langchain_call(entry, call_id, config).arun(arguments)


def _langchain_call(entry: Entry, call_id: str, config: RunnableConfig) -> LangChainCall:
    tool = with_kept_arguments(entry.tool, dict.fromkeys(entry.injection.config, config))
    return LangChainCall(tool, call_id, config, needs_id=bool(entry.injection.call_id))


def _output_of(name: str, outcome: Outcome[ToolOutput], timeout_s: float) -> ToolOutput:
    """Returns the output of the tool `name`; an error the tool raised becomes an output too."""
    from langgraph.errors import GraphBubbleUp

    if outcome.timed_out:
        raise ToolTimeoutError(name, timeout_s=timeout_s)
    if outcome.error is None:
        assert outcome.value is not None, "work that ended without an error has its output"
        return outcome.value
    # An interrupt pauses the graph by an exception; to report it to the model would lose the pause.
    if isinstance(outcome.error, GraphBubbleUp | KeyboardInterrupt):
        raise outcome.error
    return error_output(name, outcome.error)
