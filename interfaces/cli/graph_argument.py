"""The argument GRAPH of `step` and `chat`: which graph, and what it is given."""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from turngraph.interfaces.cli.model_options import ModelOptions
from turngraph.interfaces.cli.turn_options import TurnOptions
from turngraph.state.errors import TurnConfigurationError, TurnValueError

if TYPE_CHECKING:
    from turngraph.interfaces.user_graphs.loading import Graph, LoadedGraph

__all__ = ["graph_and_question", "graph_context", "graph_input", "open_graph"]

_PYTHON_FILE: Final = re.compile(r"\S+\.py(:\S+)?")


def graph_and_question(first: str | None, second: str | None) -> tuple[str | None, str | None]:
    """Returns the reference of a graph and the question; of two words the first is the graph.

    >>> graph_and_question("agent.py:app", None), graph_and_question("What is new?", None)
    (('agent.py:app', None), (None, 'What is new?'))
    """
    if second is not None or (first is not None and _PYTHON_FILE.fullmatch(first)):
        return first, second
    return None, first


def open_graph(reference: str, options: ModelOptions, turn: TurnOptions) -> "LoadedGraph":
    """Returns the graph that `reference` names.

    Raises TurnConfigurationError if it cannot be loaded, or beside options that only apply to a
    turn that is built here.
    """
    from turngraph.interfaces.user_graphs.loading import load_graph

    typed = [*_typed(options), *_typed(turn)]
    # The variable is there for turns that are built here, and may stay set.
    if turn.ledger == os.environ.get("TURNGRAPH_LEDGER"):
        typed = [name for name in typed if name != "ledger"]
    if typed:
        names = ", ".join(f"--{name.replace('_', '-')}" for name in typed)
        raise TurnConfigurationError(
            f"{names}: `{reference}` is built in its own file, with its own model, tools and "
            "ledger. Leave the options out, or change the file."
        )
    return load_graph(reference, Path(), os.environ)


def graph_input(graph: "Graph", question: str | None, given: str | None) -> Mapping[str, Any]:
    """Returns the input of a run: the question as a message, or what `--input` gives as JSON.

    Raises TurnValueError if the graph takes no messages, or the input is no JSON object.
    """
    if given is not None:
        return _json_object("--input", given)
    if not (question or "").strip():
        raise TurnValueError('No question was given. Type: turngraph step "your question".')
    if "messages" not in graph.channels:
        names = ", ".join(
            name for name in graph.channels if "_" not in name[:1] and ":" not in name
        )
        raise TurnValueError(
            "The graph takes no messages, so it has no use for a question. Give its input as "
            f"JSON with --input. Its state has: {names}."
        )
    return {"messages": [("user", question)]}


def graph_context(graph: "Graph", given: str | None) -> Any:
    """Returns the context of a run: what `--context` gives as JSON, or the graph's own defaults.

    Raises TurnValueError if it is no JSON object, or does not fit the graph's context schema.
    """
    from turngraph.interfaces.user_graphs.context import context_or_defaults

    value = None if given is None else _json_object("--context", given)
    try:
        return context_or_defaults(graph, value)
    except TurnValueError as exc:
        raise TurnValueError(f"{exc} Give it as JSON: --context '{{…}}'.") from exc


def _json_object(option: str, text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as exc:
        raise TurnValueError(f"{option} is not valid JSON: {exc}.") from exc
    if not isinstance(value, dict):
        raise TurnValueError(f"{option} is a JSON {type(value).__name__}; it must be an object.")
    return value


def _typed(options: ModelOptions | TurnOptions) -> list[str]:
    """The names of the options that differ from their defaults."""
    return [each.name for each in fields(options) if getattr(options, each.name) != each.default]
