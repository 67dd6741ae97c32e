"""What a run of a turn is given, checked and completed before LangGraph stores it."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import is_dataclass
from typing import Any, Final

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import CheckpointTuple
from langgraph.graph import START
from langgraph.types import Command, Send, StateUpdate
from pydantic import BaseModel

from turngraph.state.argument_kinds import (
    Kind,
    check_kinds,
    has_text_keys,
    is_a,
    is_text,
    one_or_list,
    or_none,
)
from turngraph.state.checks import check_input, check_update
from turngraph.state.errors import TurnInvocationError
from turngraph.state.message_checks import check_storable
from turngraph.state.payer import payer_of_run
from turngraph.state.turn import TurnInput, TurnSettings, account_of

__all__ = [
    "NOTHING_TO_RESUME",
    "check_begins",
    "checked_input",
    "checked_updates",
    "keys_of_turn",
    "may_begin",
    "offers_caller_tools",
    "resumes",
    "with_payer",
    "with_run_id",
    "with_run_id_of",
]

NOTHING_TO_RESUME: Final = (
    "The input is None or a `Command`, which goes on with a stored run, and there is none. Give "
    "messages, or the `thread_id` of a thread that was stopped."
)
_RESUME: Final = Kind(has_text_keys, "an answer, or an object with the answer to each question")
_GOTO: Final = Kind(one_or_list(is_a(str, Send)), "the name of a node, a `Send` or a list of these")
_AS_INPUT: Final = "__input__"
"""The node as which `update_state` writes what `invoke` would be given. A test pins it."""
_NAMES_OF_UPDATE: Final = {
    "as_node": Kind(or_none(is_text), "the name of a node"),
    "task_id": Kind(or_none(is_text), "the id of a task"),
}
_INPUT_KEYS: Final = TurnInput.__annotations__.keys()
_IN_PARENT: Final = "__pregel_task_id"
"""LangGraph puts this key into the configuration of a graph that runs as a node of another; a test
fails when that changes.
"""


def checked_input(input: Any, *, message_chars: int) -> Any:
    """`input` with its messages and settings checked. None and a `Command` resume a run.

    Raises TurnValueError naming what was seen and what is allowed, and TurnInvocationError for a
    `Command` that says nothing.
    """
    if input is None:
        return None
    if not isinstance(input, Command):
        return check_input(input, message_chars=message_chars)
    if input.resume is None and not input.update and not input.goto:
        raise TurnInvocationError(
            "The command says nothing: its `resume` is None. Give an answer to the question that "
            'the turn waits for, such as `Command(resume="approve")`.'
        )
    check_storable(input.resume, "The `resume` of the command")
    answers = input.resume if isinstance(input.resume, Mapping) else {}
    given = {"resume": answers, "goto": input.goto}
    check_kinds({"resume": _RESUME, "goto": _GOTO}, given, TurnInvocationError)
    if not isinstance(input.update, Mapping):
        return input
    update = check_update(input.update)
    return Command(graph=input.graph, update=update, resume=input.resume, goto=input.goto)


def with_payer(input: Any, config: RunnableConfig | None) -> Any:
    """`input` with the account and key that the run's `configurable` names, unless its settings
    name an account themselves.
    """
    payer = payer_of_run(config) if isinstance(input, Mapping) else None
    settings = input.get("settings") if payer is not None else None
    if payer is None or account_of(settings) is not None:
        return input
    return {**input, "settings": (settings or TurnSettings()).model_copy(update=payer._asdict())}


def may_begin(supersteps: Sequence[Sequence[StateUpdate]]) -> bool:
    """Whether the updates of `update_state` stand for an input, if the thread is empty."""
    return any(update.as_node is None for updates in supersteps[:1] for update in updates)


def checked_updates(
    supersteps: Sequence[Sequence[StateUpdate]], *, begins: bool
) -> list[list[StateUpdate]]:
    """The updates of `update_state`, with the values of each checked. `begins` says whether the
    thread is empty, so that the first of them stands for an input.
    """
    return [
        [_checked_update(update, begins and place == 0) for update in updates]
        for place, updates in enumerate(supersteps)
    ]


def _checked_update(update: StateUpdate, begins: bool) -> StateUpdate:
    given = {"as_node": update.as_node, "task_id": update.task_id}
    check_kinds(_NAMES_OF_UPDATE, given, TurnInvocationError)
    if update.values is None and update.as_node != _AS_INPUT:
        return update
    values = check_update(update.values or {})
    is_input = update.as_node in (START, _AS_INPUT) or (begins and update.as_node is None)
    if update.as_node == _AS_INPUT and "messages" not in values:
        raise TurnInvocationError(
            f"An update with `as_node={_AS_INPUT!r}` is the input of a turn, and this one has no "
            "`messages`. Give some, or leave `as_node` out."
        )
    if is_input and "messages" in values:
        # `invoke(None)` then runs a turn. It is none that the thread already had.
        values = {"turn_id": uuid.uuid4().hex, "settings": None, **values}
    # As `__input__` LangGraph keeps the values for the first step, and nobody could tell before it
    # which turn they begin.
    as_node = START if update.as_node == _AS_INPUT else update.as_node
    return update._replace(values=values, as_node=as_node)


def keys_of_turn(input: object, config: RunnableConfig | None) -> Any:
    """The keys of `input` that a turn reads, where a parent graph hands over its whole state.

    Outside a parent nothing is left out: a wrong key is the caller's mistake, to be reported.
    """
    if _IN_PARENT not in (config or {}).get("configurable", {}):
        return input
    if isinstance(input, Mapping):
        return {key: value for key, value in input.items() if key in _INPUT_KEYS}
    if isinstance(input, BaseModel) or (is_dataclass(input) and not isinstance(input, Command)):
        # The parent keeps its state in a class of its own. Its values are taken as they are.
        return {key: getattr(input, key) for key in _INPUT_KEYS if hasattr(input, key)}
    return input


def with_run_id(input: object, config: RunnableConfig | None) -> RunnableConfig | None:
    """`config` with the turn's id as the `run_id` of its checkpoints, where the caller gave an id.

    LangGraph compares `metadata.run_id` with that of the thread's latest checkpoint. If they agree,
    the same input resumes the turn or returns its result, and nothing runs twice. A test fails when
    LangGraph changes that.
    """
    turn_id = input.get("turn_id") if isinstance(input, Mapping) else None
    return _named(config or {}, turn_id) if turn_id else config


def offers_caller_tools(input: object) -> bool:
    """Whether a run may stop for a tool that its caller runs."""
    settings = input.get("settings") if isinstance(input, Mapping) else None
    return bool(getattr(settings, "caller_tools", ()))


def check_begins(input: object, config: RunnableConfig | None) -> None:
    """Raises TurnInvocationError for an input that goes on with a run, in a graph that keeps none.

    Inside a parent graph the parent's checkpointer keeps it.
    """
    is_inside = _IN_PARENT in (config or {}).get("configurable", {})
    if (input is None or isinstance(input, Command)) and not is_inside:
        raise TurnInvocationError(NOTHING_TO_RESUME)


def resumes(input: object, config: RunnableConfig) -> bool:
    """Whether a run goes on with a thread, and so does not say which turn it is."""
    is_resume = input is None or isinstance(input, Command)
    return is_resume and "thread_id" in config.get("configurable", {})


def with_run_id_of(stored: CheckpointTuple | None, config: RunnableConfig) -> RunnableConfig:
    """`config` with the `run_id` of the thread's latest turn, so that the checkpoints that follow
    are found by it too.
    """
    run_id = None if stored is None else stored.metadata.get("run_id")
    return config if run_id is None else _named(config, run_id)


def _named(config: RunnableConfig, run_id: str) -> RunnableConfig:
    return {**config, "metadata": {**config.get("metadata", {}), "run_id": run_id}}
