"""What a stage of a past turn told, told again from what it left in the state: events themselves
are not stored.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

from turngraph.interfaces.stepper.engine.task_controller import Done
from turngraph.state.events import (
    ChargeCreated,
    PluginSelected,
    PromptFinished,
    RequestSent,
    ResponseFailed,
    ResponseReceived,
    ToolPresented,
    ToolRequested,
    ToolResponded,
    TurnEvent,
)
from turngraph.state.result import Attempt, Charge, ToolRun, TurnResult
from turngraph.state.turn import SelectedPlugin

__all__ = ["EventReconstructor"]

Output = Mapping[str, Any]
T = TypeVar("T")


class EventReconstructor:
    """Tells the events of one past turn after the other. A charge is told when it first stands in
    the state.
    """

    def __init__(self) -> None:
        self._turns: dict[str, str] = {}
        self._charged: set[str] = set()

    def told(self, done: Done) -> Iterator[TurnEvent]:
        """The events of `done`, as far as they can be told from its output."""
        if done.task.stage is None or not isinstance(done.output, Mapping):
            return
        output = {name: _items(value) for name, value in done.output.items()}
        space = done.task.space
        self._turns[space] = str(output.get("turn_id") or self._turns.get(space, ""))
        for tell in _TELLERS.get(done.task.node, ()):
            for event in tell(output, self._turns[space]):
                if isinstance(event, ChargeCreated):
                    if event.charge.id in self._charged:
                        continue
                    self._charged.add(event.charge.id)
                yield event


def _items(value: Any) -> Any:
    """What a stage wrote to a key; a node that writes twice to one is stored as LangGraph's
    `$writes`.
    """
    return (
        value["$writes"][-1] if isinstance(value, Mapping) and set(value) == {"$writes"} else value
    )


def _joined(output: Output, turn_id: str) -> Iterator[TurnEvent]:
    plugins: Sequence[SelectedPlugin] = output.get("plugins") or ()
    for one in plugins:
        yield PluginSelected(
            turn_id=turn_id, plugin=one.name, directive=one.directive, term=one.term
        )


def _presented(output: Output, turn_id: str) -> Iterator[TurnEvent]:
    for tool in output["request"].tools:
        yield ToolPresented(turn_id=turn_id, tool=tool.name)


def _sent(output: Output, turn_id: str) -> Iterator[TurnEvent]:
    for made in _of(Attempt, output.get("attempts")):
        named = {"turn_id": turn_id, "attempt_id": made.id}
        yield RequestSent(
            **named, number=made.number, request=made.request, messages=made.messages_sent
        )
        if made.error is not None:
            yield ResponseFailed(**named, error=made.error)
        elif made.reply is not None:
            reply = made.reply
            yield ResponseReceived(
                **named,
                finish_reason=reply.finish_reason,
                usage=reply.usage,
                tool_calls=len(reply.tool_calls),
                seconds=made.seconds,
            )


def _called(output: Output, turn_id: str) -> Iterator[TurnEvent]:
    for run in _of(ToolRun, output.get("tool_runs")):
        named = {"turn_id": turn_id, "call_id": run.call_id, "tool": run.name}
        yield ToolRequested(**named, arguments=run.arguments)
        yield ToolResponded(**named, status=run.status, seconds=run.seconds)


def _charged(output: Output, turn_id: str) -> Iterator[TurnEvent]:
    for charge in _of(Charge, output.get("charges")):
        yield ChargeCreated(turn_id=turn_id, charge=charge)


def _finished(output: Output, turn_id: str) -> Iterator[TurnEvent]:
    result: TurnResult = output["result"]
    yield PromptFinished(
        turn_id=turn_id, status=result.status, cost_usd=result.cost_usd, seconds=result.seconds
    )


def _of(kind: type[T], found: Iterable[Any] | None) -> Iterator[T]:
    return (each for each in found or () if isinstance(each, kind))


_TELLERS: Final[Mapping[str, Sequence[Callable[[Output, str], Iterator[TurnEvent]]]]] = {
    "prep_first_request": (_joined, _presented),
    "call_llm": (_sent,),
    "dispatch_tools": (_called,),
    "bill": (_charged,),
    "finalize": (_finished,),
}
"""By the stage. Of a plugin that joined later, and of what a ledger held, nothing is left in the
state to tell.
"""
