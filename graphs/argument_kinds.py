"""Which kinds of values the arguments of `chat_turn` take: one row for each that needs a check.

Without it a slip would show as Python's own error in the middle of a turn, or not at all.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final, get_args

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.store.base import BaseStore

from turngraph.graphs.steps import Steps
from turngraph.nodes.support.dependencies import Replay
from turngraph.state.argument_kinds import (
    SECONDS,
    YES_NO,
    Kind,
    check_kinds,
    has_method,
    is_a,
    list_of,
    one_or_list,
    or_none,
    shown,
)
from turngraph.state.errors import TurnConfigurationError
from turngraph.state.limits import TurnLimits
from turngraph.tools.retries import Retry

__all__ = ["check_arguments", "check_nodes"]


def _are_plugins(value: object) -> bool:
    if isinstance(value, str) or not isinstance(value, Iterable):
        return False
    # What can be read once only is not read here.
    return isinstance(value, Iterator) or all(hasattr(each, "selector") for each in value)


def _are_names(value: object) -> bool:
    return isinstance(value, Collection) and all(isinstance(each, str) for each in value)


def _are_retries(value: object) -> bool:
    return isinstance(value, Mapping) and all(isinstance(each, Retry) for each in value.values())


_NODES: Final = Kind(
    lambda value: value is None or value == "*" or (isinstance(value, list) and _are_names(value)),
    "a list of nodes such as `['call_llm']`, or '*' for all",
)
_KINDS: Final[Mapping[str, Kind]] = {
    "tools": Kind(list_of(lambda value: True), "a list of tools: write `tools=[…]`"),
    "functions": Kind(
        list_of(is_a(str)), "a list of names of built-in tools: `functions=['calculator']`"
    ),
    "plugins": Kind(
        _are_plugins,
        "plugins that were loaded: write `plugins=load_manifests('folder')`",
    ),
    "system": Kind(or_none(is_a(str)), "a text"),
    "stream": YES_NO,
    "repair_answer": YES_NO,
    "require_marks": YES_NO,
    "limits": Kind(or_none(is_a(TurnLimits)), "a TurnLimits: write `TurnLimits(calls=4)`"),
    "budget": Kind(
        one_or_list(has_method("windows")), "a Budget or a list of them: `Budget(usd='0.50')`"
    ),
    "wait_s": SECONDS,
    "steps": Kind(lambda value: value in get_args(Steps), "'auto', 'each' or 'one'"),
    "replay": Kind(lambda value: value in get_args(Replay), "'call' or 'recorded'"),
    "approve": Kind(
        lambda value: callable(value) or isinstance(value, bool | str) or _are_names(value),
        "True, a list of names of tools, or a function from a call to True or False",
    ),
    "retries": Kind(
        or_none(_are_retries), "an object of Retry by tool: `{'search': Retry(attempts=3)}`"
    ),
    "on_event": Kind(one_or_list(callable), "a function or a list of functions"),
    "on_finish": Kind(or_none(callable), "a function from a result to a result"),
    "telemetry": Kind(or_none(has_method("start_run")), "an `OpenTelemetry()`"),
    "checkpointer": Kind(
        or_none(is_a(bool, BaseCheckpointSaver)), "a checkpointer of LangGraph, True or False"
    ),
    "store": Kind(or_none(is_a(BaseStore)), "a store of LangGraph"),
    "interrupt_before": _NODES,
    "interrupt_after": _NODES,
    "name": Kind(is_a(str), "a text"),
    "environ": Kind(or_none(is_a(Mapping)), "an object of texts, such as `os.environ`"),
}


def check_arguments(arguments: Mapping[str, object]) -> None:
    """Raise TurnConfigurationError for the first of `chat_turn`'s arguments of a wrong kind.

    >>> check_arguments({"steps": "one", "wait_s": 2.5})
    >>> check_arguments({"steps": "two"})
    Traceback (most recent call last):
        ...
    turngraph.state.errors.TurnConfigurationError: `steps` is 'two'; it must be ...
    """
    check_kinds(_KINDS, arguments)


def check_nodes(nodes: Collection[str], **stops: object) -> None:
    """Raise TurnConfigurationError where a node to stop at is none of the graph's `nodes`."""
    for name, asked in stops.items():
        unknown = [each for each in asked if each not in nodes] if isinstance(asked, list) else []
        if unknown:
            raise TurnConfigurationError(
                f"`{name}` names {shown(unknown[0])}, which is no stage of this turn. Stages: "
                f"{', '.join(sorted(nodes))}."
            )
