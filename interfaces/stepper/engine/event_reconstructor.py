"""Rebuilds the events of a finished turn from what its stages wrote to the state. Events themselves
are not stored.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

from turngraph.interfaces.stepper.engine.task_controller import TaskRun
from turngraph.state.events import (
    AnyEvent,
    ChargeCreated,
    PluginSelected,
    PromptFinished,
    RequestSent,
    ResponseFailed,
    ResponseReceived,
    ToolPresented,
    ToolRequested,
    ToolResponded,
)
from turngraph.state.result import Attempt, Charge, ToolRun, TurnResult
from turngraph.state.turn import SelectedPlugin

__all__ = ["EventReconstructor"]

Output = Mapping[str, Any]
T = TypeVar("T")


class EventReconstructor:
    """Rebuilds the events of a turn, stage by stage. Each charge yields one event."""

    def __init__(self) -> None:
        self._turn_ids: dict[str, str] = {}
        self._charge_ids: set[str] = set()

    def events_of(self, run: TaskRun) -> Iterator[AnyEvent]:
        """Yields the events of `run`, as far as its output holds what they need."""
        if run.task.stage is None or not isinstance(run.output, Mapping):
            return
        output = {name: _last_write(value) for name, value in run.output.items()}
        # Only the first stage writes the turn's id, so it is remembered for those that follow.
        namespace = run.task.namespace
        turn_id = str(output.get("turn_id") or self._turn_ids.get(namespace, ""))
        self._turn_ids[namespace] = turn_id
        for rebuild in _REBUILDERS.get(run.task.node, ()):
            for event in rebuild(output, turn_id):
                if isinstance(event, ChargeCreated):
                    if event.charge.id in self._charge_ids:
                        continue
                    self._charge_ids.add(event.charge.id)
                yield event


def _last_write(value: Any) -> Any:
    """What a stage wrote to a key. LangGraph stores several writes to one key as `$writes`."""
    is_several = isinstance(value, Mapping) and set(value) == {"$writes"}
    return value["$writes"][-1] if is_several else value


def _plugin_events(output: Output, turn_id: str) -> Iterator[AnyEvent]:
    plugins: Sequence[SelectedPlugin] = output.get("plugins") or ()
    for plugin in plugins:
        yield PluginSelected(
            turn_id=turn_id, plugin=plugin.name, directive=plugin.directive, term=plugin.term
        )


def _offered_tool_events(output: Output, turn_id: str) -> Iterator[AnyEvent]:
    for tool in output["request"].tools:
        yield ToolPresented(turn_id=turn_id, tool=tool.name)


def _attempt_events(output: Output, turn_id: str) -> Iterator[AnyEvent]:
    for attempt in _instances(Attempt, output.get("attempts")):
        ids = {"turn_id": turn_id, "attempt_id": attempt.id}
        yield RequestSent(
            **ids,
            number=attempt.number,
            request=attempt.request,
            messages=attempt.messages_sent,
        )
        if attempt.error is not None:
            yield ResponseFailed(**ids, error=attempt.error)
        elif attempt.reply is not None:
            reply = attempt.reply
            yield ResponseReceived(
                **ids,
                finish_reason=reply.finish_reason,
                usage=reply.usage,
                tool_calls=len(reply.tool_calls),
                seconds=attempt.seconds,
            )


def _tool_run_events(output: Output, turn_id: str) -> Iterator[AnyEvent]:
    for run in _instances(ToolRun, output.get("tool_runs")):
        ids = {"turn_id": turn_id, "call_id": run.call_id, "tool": run.name}
        yield ToolRequested(**ids, arguments=run.arguments)
        yield ToolResponded(**ids, status=run.status, seconds=run.seconds)


def _charge_events(output: Output, turn_id: str) -> Iterator[AnyEvent]:
    for charge in _instances(Charge, output.get("charges")):
        yield ChargeCreated(turn_id=turn_id, charge=charge)


def _finish_events(output: Output, turn_id: str) -> Iterator[AnyEvent]:
    result: TurnResult = output["result"]
    yield PromptFinished(
        turn_id=turn_id, status=result.status, cost_usd=result.cost_usd, seconds=result.seconds
    )


def _instances(kind: type[T], values: Iterable[Any] | None) -> Iterator[T]:
    return (value for value in values or () if isinstance(value, kind))


_REBUILDERS: Final[Mapping[str, Sequence[Callable[[Output, str], Iterator[AnyEvent]]]]] = {
    "prep_first_request": (_plugin_events, _offered_tool_events),
    "call_llm": (_attempt_events,),
    "dispatch_tools": (_tool_run_events,),
    "bill": (_charge_events,),
    "finalize": (_finish_events,),
}
"""By stage. The state keeps no trace of a plugin that joined later or of an amount that a ledger
reserved, so those events are not rebuilt.
"""
