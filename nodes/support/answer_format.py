"""Reads an answer in the format that it was asked for, and says where it does not fit."""

import json
import re
from typing import Any, Final, NamedTuple

from langchain_core.messages import AnyMessage, HumanMessage
from pydantic import ValidationError

from turngraph.nodes.support.dependencies import TurnDependencies
from turngraph.state.errors import TurnConfigurationError, TurnValueError
from turngraph.state.json_types import JsonObject
from turngraph.state.request import ChatRequest
from turngraph.state.response_format import answer_adapter
from turngraph.state.turn import TurnOutcome
from turngraph.state.turn_error import TurnError
from turngraph.tools.arguments import Validator, compile_schema
from turngraph.tools.mistakes import UncheckableError
from turngraph.tools.schemas import subschemas

__all__ = [
    "ParsedAnswer",
    "check_format",
    "format_validator",
    "misfit",
    "parse_answer",
    "repair_message",
    "was_repaired",
]

_MAX_MISTAKES: Final = 3
"""Mistakes that are named. A model corrects them and answers again."""
_MAX_ERROR: Final = 200
"""Characters of the error of a class's own check that are shown."""
_MARKDOWN: Final = re.compile(r"\s*```(?:json)?[ \t]*\n(.*)```\s*", re.DOTALL)
_REPAIR: Final = "repair-"
"""How the id of a message begins that asks for an answer in the right format."""


class ParsedAnswer(NamedTuple):
    """An answer as it was read; `problem` is a sentence if it could not be."""

    value: Any = None
    problem: str | None = None


def check_format(request: ChatRequest, deps: TurnDependencies) -> None:
    """Raises TurnValueError if the caller set a format for this turn that nothing can be checked
    by. The turn's own was checked when it was built.
    """
    form = request.response_format
    if form is None or form == deps.template.response_format:
        return
    try:
        format_validator(form)
    except TurnConfigurationError as exc:
        raise TurnValueError(f"`response_format` cannot be used: {exc}") from exc


def parse_answer(text: str, request: ChatRequest, deps: TurnDependencies) -> ParsedAnswer:
    """Returns the answer `text` of `request` as its format says: an instance of the pydantic class
    that the turn was built with, or plain JSON. Without a format, both members are None.

    Models that are not held to a format by their vendor like to write JSON as a block of Markdown.
    """
    form = request.response_format
    if form is None or form.get("type") == "text" or request.body is not None:
        return ParsedAnswer()
    if (block := _MARKDOWN.fullmatch(text)) is not None:
        text = block[1]
    # A format that the caller set for this turn alone is data, and has no class.
    if deps.answer_class is not None and form == deps.template.response_format:
        return _mismatch(text, form) or _instance(text, deps.answer_class)
    return _plain(text, form)


def misfit(problem: str, request_id: str | None) -> TurnOutcome:
    """Returns how a turn ends whose answer does not fit its format.

    >>> misfit("The answer is not JSON.", None).error.kind
    'invalid_answer'
    """
    error = TurnError(kind="invalid_answer", message=problem, request_id=request_id)
    return TurnOutcome(status="invalid_answer", error=error)


def repair_message(problem: str, task_id: str) -> HumanMessage:
    """Returns the message that asks the model for another answer."""
    text = f"{problem} Answer again, with JSON in the format that was asked for and nothing else."
    return HumanMessage(text, id=f"{_REPAIR}{task_id}")


def was_repaired(messages: list[AnyMessage]) -> bool:
    """Whether the last answer in `messages` was asked for by a `repair_message`."""
    last = next((message for message in reversed(messages) if message.type == "human"), None)
    return last is not None and (last.id or "").startswith(_REPAIR)


def _mismatch(text: str, form: JsonObject) -> ParsedAnswer | None:
    """Returns the problem if `text` does not match the patterns in `form`, else None.

    A pydantic class may match them with `re`, which cannot be stopped and may take hours. What else
    is wrong with the answer the class says better.
    """
    schema = form["json_schema"]["schema"]
    if not any("pattern" in inner for inner in subschemas(schema)):
        return None
    from turngraph.tools.timed_validator import TimedValidator

    try:
        mistakes = TimedValidator("response_format", schema).pattern_mistakes(json.loads(text))
    except UncheckableError as exc:
        return ParsedAnswer(problem=f"The answer could not be checked{exc}")
    except (ValueError, RecursionError):  # no JSON at all
        return None
    return _misfitting(mistakes) if mistakes else None


def _misfitting(mistakes: list[str]) -> ParsedAnswer:
    return ParsedAnswer(problem=f"The answer does not fit: {'; '.join(mistakes[:_MAX_MISTAKES])}.")


def _instance(text: str, kind: Any) -> ParsedAnswer:
    try:
        return ParsedAnswer(answer_adapter(kind).validate_json(text))
    except ValidationError as exc:
        mistakes = [
            f"at `{'.'.join(map(str, error['loc'])) or '$'}`: {error['msg']}"
            for error in exc.errors(include_url=False, include_context=False, include_input=False)
        ]
    except Exception as exc:  # noqa: BLE001  a validator of the user's: the answer is paid for
        text = " ".join(str(exc).split())[:_MAX_ERROR]
        mistakes = [f"the check of `{kind.__name__}` raised {type(exc).__name__}: {text}"]
    return _misfitting(mistakes)


def _plain(text: str, form: JsonObject) -> ParsedAnswer:
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as exc:
        where = f"line {exc.lineno}, column {exc.colno}"
        return ParsedAnswer(problem=f"The answer is not JSON: {exc.msg} at {where}.")
    except (ValueError, RecursionError) as exc:
        return ParsedAnswer(problem=f"The answer is not JSON that can be read: {exc}.")
    validator = format_validator(form)
    try:
        mistakes = [] if validator is None else validator.mistakes_in(value)
    except UncheckableError as exc:
        return ParsedAnswer(problem=f"The answer could not be checked{exc}")
    return _misfitting(mistakes) if mistakes else ParsedAnswer(value)


def format_validator(form: JsonObject) -> Validator | None:
    """Returns a validator of answers in the format `form`, or None for one that takes any text.

    Raises TurnConfigurationError for a JSON schema that nothing can be checked by.
    """
    if form.get("type") == "json_object":
        return compile_schema("response_format", {"type": "object"})
    if form.get("type") != "json_schema":
        return None
    return compile_schema("response_format", form.get("json_schema", {}).get("schema", {}))


def _refuse_constant(word: str) -> None:
    raise ValueError(f"it holds `{word}`")
