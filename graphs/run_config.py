"""Checks the configuration and the arguments that a run of a turn is given.

LangGraph checks none of these: a slip shows as a KeyError or an AttributeError of its own.
"""

from collections.abc import Mapping
from typing import Any, Final, get_args
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler, BaseCallbackManager
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.types import Durability, StreamMode

from turngraph.graphs.steps import inherited
from turngraph.state.argument_kinds import (
    NAME,
    Kind,
    check_kinds,
    has_method,
    has_text_keys,
    is_a,
    is_name,
    is_text,
    list_of,
    one_or_list,
    or_none,
)
from turngraph.state.errors import TurnInvocationError
from turngraph.state.message_checks import check_storable, check_text

__all__ = ["check_config", "check_run_arguments"]


def _is_count(value: object) -> bool:
    return type(value) is int and value > 0


def _are_handlers(value: object) -> bool:
    return isinstance(value, BaseCallbackManager) or list_of(is_a(BaseCallbackHandler))(value)


_CONFIG: Final = {
    "configurable": Kind(has_text_keys, "an object such as `{'thread_id': '1'}`"),
    "metadata": Kind(or_none(has_text_keys), "an object"),
    "callbacks": Kind(or_none(_are_handlers), "a list of callback handlers"),
    "tags": Kind(or_none(list_of(is_text)), "a list of texts"),
    "run_name": Kind(or_none(is_text), "a text"),
    "run_id": Kind(or_none(is_a(str, UUID)), "a UUID"),
    "recursion_limit": Kind(_is_count, "a whole number of at least 1"),
    "max_concurrency": Kind(or_none(_is_count), "a whole number of at least 1"),
}
_CONFIGURABLE: Final = {
    "thread_id": Kind(or_none(is_name), NAME.allowed),
    "turn_account": Kind(or_none(is_text), "a text"),
    "turn_api_key_id": Kind(or_none(is_text), "a text"),
    "cancel": Kind(or_none(has_method("is_set")), "a `threading.Event` or an `asyncio.Event`"),
    "checkpoint_ns": Kind(is_a(str), "a text"),
}
_MODES: Final = get_args(StreamMode)
_NODES: Final = Kind(
    lambda value: value is None or value == "*" or list_of(is_a(str))(value),
    "a list of nodes such as `['call_llm']`, or '*' for all",
)
_ARGUMENTS: Final = {
    "stream_mode": Kind(
        lambda value: (
            value is None or value in _MODES or list_of(lambda mode: mode in _MODES)(value)
        ),
        f"one of {', '.join(_MODES)}, or a list of these",
    ),
    "durability": Kind(
        or_none(lambda value: value in get_args(Durability)),
        f"one of {', '.join(get_args(Durability))}",
    ),
    "output_keys": Kind(or_none(one_or_list(is_a(str))), "a key of the state, or a list of keys"),
    "interrupt_before": _NODES,
    "interrupt_after": _NODES,
}


def check_config(
    config: RunnableConfig | None,
    *,
    checkpointer: object = None,
    bound: RunnableConfig | None = None,
) -> None:
    """Raises TurnInvocationError unless a run or a look at a thread can be configured by `config`.

    checkpointer: the graph's own; with one, the configuration must name a thread.
    bound: the configuration that `with_config` has bound to the graph.

        >>> check_config({"configurable": {"thread_id": "1"}})
    """
    given: Any = config
    if given is not None and not isinstance(given, Mapping):
        raise TurnInvocationError(
            f"A configuration is an object such as `{{'configurable': {{'thread_id': '1'}}}}`, not "
            f"{type(given).__name__}."
        )
    if not has_text_keys(given or {}):
        raise TurnInvocationError(
            "A configuration has names that are no texts. Write, for example, "
            "`{'configurable': {'thread_id': '1'}}`."
        )
    check_kinds(_CONFIG, given or {}, TurnInvocationError)
    configurable = (given or {}).get("configurable") or {}
    check_kinds(_CONFIGURABLE, configurable, TurnInvocationError)
    _check_kept(given or {}, configurable)
    if isinstance(checkpointer, BaseCheckpointSaver) and not (
        "thread_id" in inherited(config) or "thread_id" in (bound or {}).get("configurable", {})
    ):
        raise TurnInvocationError(
            "The graph has a checkpointer, and the configuration names no thread: write "
            "`{'configurable': {'thread_id': '1'}}`, or `thread='1'` for a typed run."
        )


def _check_kept(config: Mapping[str, Any], configurable: Mapping[str, Any]) -> None:
    """Checks what LangGraph writes into the metadata of each checkpoint."""
    beside = {name: value for name, value in config.items() if name not in _CONFIG}
    for place, kept in (
        ("", beside),
        ("configurable.", configurable),
        ("metadata.", config.get("metadata") or {}),
    ):
        for name, value in kept.items():
            if isinstance(value, str | int) or place == "metadata.":
                check_text(name, f"A name in the configuration, `{place}{name}`,")
                check_storable(value, f"`{place}{name}` of the configuration")


def check_run_arguments(arguments: Mapping[str, object]) -> None:
    """Raises TurnInvocationError for an argument of `invoke` or `stream` of a wrong kind.

    >>> check_run_arguments({"stream_mode": "values"})
    """
    check_kinds(_ARGUMENTS, arguments, TurnInvocationError)
