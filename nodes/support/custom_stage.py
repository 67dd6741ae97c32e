"""A stage of the caller's own, run as one of the turn's: its update is checked and completed."""

import asyncio
import inspect
import threading
from collections.abc import Awaitable
from concurrent.futures import Future
from contextvars import copy_context
from typing import Final, cast

from langchain_core.messages import AIMessage, AnyMessage, ToolMessage

from turngraph.nodes.support.stage import StageFunction
from turngraph.nodes.support.stage_context import StageContext
from turngraph.state.errors import TurnValueError
from turngraph.state.flow import Flow, Wait
from turngraph.state.messages import coerce_message
from turngraph.state.quoting import quoted, written
from turngraph.state.reply import ToolCall
from turngraph.state.result import ToolRun
from turngraph.state.stages import StagePosition, StageState, StageUpdate, TurnStage
from turngraph.state.turn import Turn

__all__ = ["custom_stage", "described", "name_of", "takes_state"]

_Update = StageUpdate | None
_KEYS: Final = tuple(StageUpdate.__annotations__)


def name_of(stage: TurnStage) -> str | None:
    """The name of a stage's node: its `__name__`, or None where it has none."""
    name = getattr(stage, "__name__", None)
    return name if isinstance(name, str) and name.isidentifier() else None


def takes_state(stage: TurnStage) -> bool:
    """Whether `stage` can be called with the state alone."""
    try:
        inspect.signature(stage).bind(None)
    except TypeError:
        return False
    except ValueError:  # written in C, so nothing is known of its parameters
        return True
    return True


def described(stage: object) -> str:
    """How an error message names what was given as a stage."""
    name = getattr(stage, "__name__", None)
    if name == "<lambda>":
        return "a lambda"
    return f"{name}{inspect.signature(stage)}" if inspect.isfunction(stage) else written(stage)


def custom_stage(stage: TurnStage, position: StagePosition) -> StageFunction:
    """`stage` as a stage of the turn: called sync or async, its update checked and completed.

    Raises TurnValueError where it returns a key that a stage may not change.
    """
    name = name_of(stage) or position

    def run(state: StageState, context: StageContext) -> Flow[Turn]:
        update = yield Wait(lambda: _called(stage, state), lambda: _acalled(stage, state))
        return _completed(_checked(update, name), state, name, position, context)

    run.__name__ = name
    return run


def _called(stage: TurnStage, state: StageState) -> _Update:
    """The update of `stage`, in this thread. An async stage gets an event loop of its own."""
    update = stage(state)
    return _run_aside(update) if inspect.isawaitable(update) else update


async def _acalled(stage: TurnStage, state: StageState) -> _Update:
    """The update of `stage`. A sync stage may block, so it gets a thread of its own."""
    if inspect.iscoroutinefunction(stage) or inspect.iscoroutinefunction(type(stage).__call__):
        return await cast(Awaitable[_Update], stage(state))
    update = await asyncio.to_thread(stage, state)
    return await update if inspect.isawaitable(update) else update


def _run_aside(update: Awaitable[_Update]) -> _Update:
    """The result of `update`, awaited in another thread: this one may run an event loop already."""
    done: Future[_Update] = Future()

    async def awaited() -> _Update:
        return await update

    def work() -> None:
        try:
            done.set_result(asyncio.run(awaited()))
        except BaseException as exc:  # noqa: BLE001  raised again in the thread that waits
            done.set_exception(exc)

    context = copy_context()  # LangGraph's `interrupt` finds its run there
    threading.Thread(target=context.run, args=(work,), daemon=True).start()
    return done.result()


def _checked(update: object, name: str) -> StageUpdate:
    if update is None:
        return {}
    if not isinstance(update, dict):
        raise TurnValueError(
            f"The stage `{name}` returned {type(update).__name__}. "
            f"Allowed: None, or a dict with some of {_listed(_KEYS)}."
        )
    unknown = sorted(quoted(key) for key in update if key not in _KEYS)
    if unknown:
        raise TurnValueError(
            f"The stage `{name}` returned `{unknown[0]}`. Allowed: {_listed(_KEYS)}."
        )
    return cast(StageUpdate, update)


def _completed(
    update: StageUpdate,
    state: StageState,
    name: str,
    position: StagePosition,
    context: StageContext,
) -> Turn:
    """`update` as an update of the turn: with message ids, and with answers for refused calls."""
    patch = cast(Turn, dict(update))
    messages = [
        _with_id(coerce_message(message), f"{context.task_id}-{place}")
        for place, message in enumerate(update.get("messages", []))
    ]
    if position != "before_model" and "pending_tool_calls" in update:
        allowed = {call.id for call in update["pending_tool_calls"]}
        refused = [call for call in state["pending_tool_calls"] if call.id not in allowed]
        messages += [_refusal_message(call, name, context) for call in refused]
        first = len(state["tool_runs"])
        patch["tool_runs"] = [
            _refusal_record(call, name, first + place) for place, call in enumerate(refused)
        ]
    if messages:
        patch["messages"] = messages
    edited = _edited_answer(messages, state)
    if position == "after_model" and edited is not None and "outcome" not in update:
        # The turn ends with this answer: the caller is told the edited text, not the vendor's.
        outcome = state["outcome"]
        if outcome is not None:
            patch["outcome"] = outcome.model_copy(update={"answer": edited.text})
    return patch


def _with_id(message: AnyMessage, new_id: str) -> AnyMessage:
    return message if message.id else message.model_copy(update={"id": new_id})


def _edited_answer(messages: list[AnyMessage], state: StageState) -> AIMessage | None:
    """The model's last answer as a stage rewrote it, or None where it did not."""
    answers = [message for message in state["messages"] if isinstance(message, AIMessage)]
    if not answers:
        return None
    return next(
        (
            message
            for message in reversed(messages)
            if message.id == answers[-1].id and isinstance(message, AIMessage)
        ),
        None,
    )


def _sentence(name: str) -> str:
    return f"Not run: the stage `{name}` did not allow this call."


def _refusal_message(call: ToolCall, name: str, context: StageContext) -> ToolMessage:
    return ToolMessage(
        _sentence(name),
        id=f"tool-{context.task_id}-{call.id}",
        tool_call_id=call.id,
        name=call.name,
        status="error",
    )


def _refusal_record(call: ToolCall, name: str, order: int) -> ToolRun:
    return ToolRun(
        call_id=call.id,
        name=call.name,
        arguments=call.arguments,
        status="rejected",
        content=_sentence(name),
        seconds=0.0,
        order=order,
    )


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)
