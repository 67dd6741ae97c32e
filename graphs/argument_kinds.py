"""Which kinds of values the arguments of `chat_turn` take: one row for each that needs a check.

Without it a slip would show as Python's own error in the middle of a turn, or not at all.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Final, NamedTuple, get_args

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.store.base import BaseStore

from turngraph.graphs.steps import Steps
from turngraph.nodes.support.dependencies import Replay
from turngraph.state.errors import TurnConfigurationError
from turngraph.state.limits import TurnLimits
from turngraph.tools.retries import Retry

__all__ = ["check_kinds", "check_nodes"]

_IsAllowed = Callable[[object], bool]


class _Kind(NamedTuple):
    fits: _IsAllowed
    allowed: str


def _is(*types: type) -> _IsAllowed:
    return lambda value: isinstance(value, types)


def _or_none(fits: _IsAllowed) -> _IsAllowed:
    return lambda value: value is None or fits(value)


def _list_of(fits: _IsAllowed) -> _IsAllowed:
    return lambda value: (
        isinstance(value, Sequence) and not isinstance(value, str) and all(map(fits, value))
    )


def _has(name: str) -> _IsAllowed:
    return lambda value: callable(getattr(value, name, None))


def _is_wait(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


def _are_plugins(value: object) -> bool:
    if isinstance(value, str) or not isinstance(value, Iterable):
        return False
    # What can be read once only is not read here.
    return not isinstance(value, Sequence) or all(hasattr(each, "selector") for each in value)


def _are_retries(value: object) -> bool:
    return isinstance(value, Mapping) and all(isinstance(each, Retry) for each in value.values())


def _one_or_list(fits: _IsAllowed) -> _IsAllowed:
    several = _list_of(fits)
    return lambda value: fits(value) or several(value)


_YES_NO: Final = _Kind(_is(bool), "True or False")
_NODES: Final = _Kind(
    lambda value: value is None or value == "*" or _list_of(_is(str))(value),
    "a list of nodes such as `['call_llm']`, or '*' for all",
)
_KINDS: Final[Mapping[str, _Kind]] = {
    "tools": _Kind(_list_of(lambda value: True), "a list of tools: write `tools=[…]`"),
    "functions": _Kind(
        _list_of(_is(str)), "a list of names of built-in tools: `functions=['calculator']`"
    ),
    "plugins": _Kind(
        _are_plugins,
        "plugins that were loaded: write `plugins=load_manifests('folder')`",
    ),
    "system": _Kind(_or_none(_is(str)), "a text"),
    "stream": _YES_NO,
    "repair_answer": _YES_NO,
    "require_marks": _YES_NO,
    "limits": _Kind(_or_none(_is(TurnLimits)), "a TurnLimits: write `TurnLimits(calls=4)`"),
    "budget": _Kind(
        _one_or_list(_has("windows")), "a Budget or a list of them: `Budget(usd='0.50')`"
    ),
    "wait_s": _Kind(_is_wait, "a number of seconds of at least 0"),
    "steps": _Kind(lambda value: value in get_args(Steps), "'auto', 'each' or 'one'"),
    "replay": _Kind(lambda value: value in get_args(Replay), "'call' or 'recorded'"),
    "approve": _Kind(
        lambda value: callable(value) or isinstance(value, bool | Collection),
        "True, a list of names of tools, or a function from a call to True or False",
    ),
    "retries": _Kind(
        _or_none(_are_retries), "an object of Retry by tool: `{'search': Retry(attempts=3)}`"
    ),
    "on_event": _Kind(_one_or_list(callable), "a function or a list of functions"),
    "on_finish": _Kind(_or_none(callable), "a function from a result to a result"),
    "telemetry": _Kind(_or_none(_has("start_run")), "an `OpenTelemetry()`"),
    "checkpointer": _Kind(
        _or_none(_is(bool, BaseCheckpointSaver)), "a checkpointer of LangGraph, True or False"
    ),
    "store": _Kind(_or_none(_is(BaseStore)), "a store of LangGraph"),
    "interrupt_before": _NODES,
    "interrupt_after": _NODES,
    "name": _Kind(_is(str), "a text"),
    "environ": _Kind(_or_none(_is(Mapping)), "an object of texts, such as `os.environ`"),
}


def check_kinds(arguments: Mapping[str, object]) -> None:
    """Raise TurnConfigurationError for the first of `chat_turn`'s arguments of a wrong kind.

    >>> check_kinds({"steps": "one", "wait_s": 2.5})
    >>> check_kinds({"steps": "two"})
    Traceback (most recent call last):
        ...
    turngraph.state.errors.TurnConfigurationError: `steps` is 'two'; it must be ...
    """
    for name, value in arguments.items():
        kind = _KINDS.get(name)
        if kind is not None and not kind.fits(value):
            raise TurnConfigurationError(f"`{name}` is {_shown(value)}; it must be {kind.allowed}.")


def check_nodes(nodes: Collection[str], **stops: object) -> None:
    """Raise TurnConfigurationError where a node to stop at is none of the graph's `nodes`."""
    for name, asked in stops.items():
        unknown = [each for each in asked if each not in nodes] if isinstance(asked, list) else []
        if unknown:
            raise TurnConfigurationError(
                f"`{name}` names {_shown(unknown[0])}, which is no stage of this turn. Stages: "
                f"{', '.join(sorted(nodes))}."
            )


def _shown(value: object) -> str:
    """A short text or a number as it is; of anything else, its class: it may hold a secret."""
    is_plain = isinstance(value, str) and value.isprintable() and len(value) <= 40
    return (
        repr(value) if is_plain or isinstance(value, int | float) else f"a {type(value).__name__}"
    )
