"""The context of a run: what a graph's nodes read from `runtime.context`.

https://docs.langchain.com/oss/python/langgraph/graph-api#runtime-context
"""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from langgraph.pregel import Pregel
from pydantic import TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError

from turngraph.interfaces.user_graphs.loading import Graph
from turngraph.state.errors import TurnConfigurationError, TurnValueError

__all__ = ["checked_context", "context_or_defaults"]


def checked_context(graph: Graph, given: object) -> object:
    """Returns `given`, the context of a run of `graph`, as it is.

    Raises TurnValueError if it is a mapping that does not fit the graph's context schema.
    """
    if not isinstance(graph, Pregel):
        raise TurnConfigurationError(
            f"`graph` is a {type(graph).__name__}; it must be a compiled graph of LangGraph, such "
            "as `chat_turn` returns."
        )
    schema = graph.context_schema
    if schema is None or not isinstance(given, Mapping):
        return given
    _check_names(schema, given)
    try:
        TypeAdapter(schema).validate_python(dict(given))
    except ValidationError as exc:
        # The value itself is left out: a context may hold a key.
        wrong = "; ".join(
            f"`{'.'.join(map(str, each['loc']))}`: {each['msg']}"
            for each in exc.errors(include_input=False, include_url=False)
        )
        raise TurnValueError(f"The graph cannot run in this context. {wrong}.") from exc
    except PydanticUserError:
        pass  # before Python 3.12, pydantic takes no TypedDict of the standard library
    return given


def _check_names(schema: type, given: Mapping[Any, Any]) -> None:
    """LangGraph gives a dataclass every name, and one that it does not know is a TypeError."""
    if not is_dataclass(schema):
        return
    known = [field.name for field in fields(schema) if field.init]
    unknown = ", ".join(f"`{name}`" for name in given if name not in known)
    if unknown:
        names = ", ".join(f"`{name}`" for name in known)
        raise TurnValueError(f"The graph's context has no field {unknown}. It has: {names}.")


def context_or_defaults(graph: Graph, given: object) -> Any:
    """Returns `given` or, without it, the context in which every field has its default.

    A graph without a context schema gets what is given. Raises TurnValueError if that is no
    mapping, does not fit, or lacks a field without a default.
    """
    if given is not None and not isinstance(given, Mapping):
        raise TurnValueError(f"A context is a JSON object, and not {type(given).__name__}.")
    if given is None and graph.context_schema is None:
        return None
    return checked_context(graph, dict(given or {}))
