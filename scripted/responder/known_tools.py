"""Tools whose purpose shows in their names: calculators, weather reports, date calculators.

For these, a question is read for what it holds: one call for each sum, each place, and so on.
"""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from turngraph.scripted.prompt import OfferedTool
from turngraph.scripted.responder import text_patterns
from turngraph.scripted.responder.schema_sampler import sample
from turngraph.state.json_types import JsonObject

__all__ = ["find_kind", "read_arguments"]

ArgumentReader = Callable[[OfferedTool, str], list[JsonObject]]


class ToolKind(NamedTuple):
    """A kind of tools, and how a question is read for them."""

    names: frozenset[str]
    """A tool is of this kind if its name has one of these words."""
    topic: frozenset[str]
    """The question must have one of these words; with none, what is read shows the topic."""
    read: ArgumentReader
    """Takes the tool and the question; returns the arguments of each call."""


def find_kind(tool: OfferedTool) -> ToolKind | None:
    """Returns the kind of the tool, or None."""
    words = text_patterns.find_words(tool.name)
    return next((kind for kind in KINDS if kind.names & words), None)


def read_arguments(tool: OfferedTool, question: str) -> list[JsonObject]:
    """Returns the arguments of every call of `tool` that the question needs; often none."""
    kind = find_kind(tool)
    if kind is None or (kind.topic and not kind.topic & text_patterns.find_words(question)):
        return []
    return kind.read(tool, question)


def _one_call_for_each(find: Callable[[str], Sequence[str]], *properties: str) -> ArgumentReader:
    """Returns a reader that makes one call for each thing that `find` finds.

    The thing is put into the first of `properties` that the tool has.
    """

    def read(tool: OfferedTool, question: str) -> list[JsonObject]:
        schemas = tool.parameters.get("properties", {})
        target = next((name for name in properties if name in schemas), None)
        if target is None:
            return []
        # The other properties are sampled once. Dates are taken out of the question before that, so
        # that their numbers are not used for something else.
        required = [name for name in tool.parameters.get("required", ()) if name != target]
        others = {name: schema for name, schema in schemas.items() if name != target}
        other_schema = {**tool.parameters, "required": required, "properties": others}
        undated = text_patterns.DATE.sub(" ", question)
        sampled = sample(other_schema, undated, include_optional=tool.strict)
        calls = [{target: found} | sampled for found in find(question)]
        return [{name: call[name] for name in schemas if name in call} for call in calls]

    return read


def _one_call_for_dates(tool: OfferedTool, question: str) -> list[JsonObject]:
    if not text_patterns.find_dates(question):
        return []
    return [sample(tool.parameters, question, include_optional=tool.strict)]


KINDS: Final = (
    ToolKind(frozenset(("date", "calendar")), frozenset(), _one_call_for_dates),
    ToolKind(
        frozenset(("calculator", "calculate", "calc", "math", "arithmetic")),
        frozenset(),
        _one_call_for_each(text_patterns.find_expressions, "expression", "formula"),
    ),
    ToolKind(
        frozenset(("weather", "forecast")),
        frozenset(
            text_patterns.WORD.findall(
                "weather forecast temperature degree rain raining snow snowing sunny wind windy "
                "warm warmer hot hotter cold colder umbrella"
            )
        ),
        _one_call_for_each(text_patterns.find_places, "location", "city", "place"),
    ),
)
