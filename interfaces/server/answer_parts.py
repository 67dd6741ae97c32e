"""What the answers of both APIs are made of: text, calls for the client, usage, errors, extras."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import AIMessage
from langgraph.types import Interrupt

from turngraph.interfaces.server.errors import ServerError, error_of_turn
from turngraph.interfaces.server.turn_planning import token_of
from turngraph.interfaces.server.turn_request import call_id
from turngraph.interfaces.server.turn_runs import TurnEnd
from turngraph.state.events import AnyEvent, Token, ToolRequested, ToolResponded
from turngraph.state.json_types import JsonObject
from turngraph.state.usage import Usage, total_usage

__all__ = [
    "ClientCall",
    "answer_text",
    "approvals",
    "client_calls",
    "extras",
    "has_failed",
    "message_reasoning",
    "reasoning_text",
    "shown_event",
    "turn_error",
    "turn_status",
    "usage_of",
]

ANSWERS: frozenset[str] = frozenset(
    {"completed", "length", "content_filter", "refused", "empty", "invalid_answer"}
)
"""The statuses of a turn that has an answer to show, whatever it is worth."""


@dataclass(frozen=True)
class ClientCall:
    """A tool that the client is asked to run."""

    id: str
    name: str
    arguments: str


def client_calls(end: TurnEnd) -> list[ClientCall]:
    """The calls that the turn waits for, in order."""
    return [
        ClientCall(_id(end, each), each.value["tool"], each.value["arguments"])
        for each in end.questions
        if _is_client_call(each)
    ]


def approvals(end: TurnEnd) -> list[JsonObject]:
    """The questions to a person that the turn waits for."""
    asked = []
    for place, each in enumerate(end.questions):
        value = each.value if isinstance(each.value, dict) else {"question": each.value}
        if not _is_client_call(each):
            shown = {name: one for name, one in value.items() if name not in ("call_id", "order")}
            asked.append({**shown, "id": _id(end, each, place)})
    return asked


def answer_text(end: TurnEnd, *, joined: bool) -> str:
    """The text for the client: all that was said in this run, or only the last of it."""
    texts = [message.text for message in end.answers if message.text]
    last = end.answers[-1].text if end.answers else ""
    if end.result is not None and end.result.answer != last:
        return end.result.answer  # a stage of the operator's own put other words in its place
    return "\n\n".join(texts) if joined else last


def reasoning_text(end: TurnEnd) -> str | None:
    """The reasoning that the vendor shows, of all answers of this run."""
    texts = [message_reasoning(message) for message in end.answers]
    return "\n\n".join(text for text in texts if text) or None


def usage_of(end: TurnEnd) -> Usage:
    """The tokens of all calls of this run."""
    usages = [one.usage for one in end.charges if one.kind == "completion" and one.usage]
    return total_usage(usages) or _reported(end.answers) or Usage()


def has_failed(end: TurnEnd) -> bool:
    """Whether the turn has ended without an answer."""
    return end.result is not None and end.result.status not in ANSWERS


def turn_error(end: TurnEnd) -> ServerError:
    """Why the turn has no answer. Its extras stand in the error's body."""
    assert end.result is not None, "the caller has looked"
    return error_of_turn(end.result, extras(end))


def extras(end: TurnEnd) -> JsonObject:
    """What an answer says beside what its API knows, under the key `turngraph`."""
    result = end.result
    told: JsonObject = {
        "status": turn_status(end),
        "model": end.plan.model.name,
        "charges": [_charge(one) for one in end.charges],
        "cost_usd": _cost(end),
    }
    if result is not None:
        told["turn_id"] = token_of(result.turn_id)
        told["calls"] = len(result.attempts)
        told["tool_runs"] = [
            run.model_dump(mode="json", include={"name", "arguments", "status", "seconds"})
            for run in result.tool_runs
        ]
        told["plugins"] = list(result.plugins)
        told["warnings"] = list(result.warnings)
        told["seconds"] = round(result.seconds, 6)
    if asked := approvals(end):
        told["approvals"] = asked
    return told


def shown_event(event: AnyEvent) -> JsonObject | None:
    """The event as a stream shows it, for a client that asked for events; None for a token."""
    if isinstance(event, Token):
        return None
    if isinstance(event, ToolRequested | ToolResponded):
        return event.model_dump(mode="json", exclude={"turn_id", "call_id"})
    return {"type": event.type}


def turn_status(end: TurnEnd) -> str:
    """How the turn ended, or what it waits for."""
    if end.result is not None:
        return end.result.status
    if not end.questions:
        return "completed"
    return "waiting_for_tools" if all(map(_is_client_call, end.questions)) else "waiting_for_person"


def _charge(charge: Any) -> JsonObject:
    wanted = {"kind", "vendor", "model", "tool", "plugin", "amount_usd", "unpriced", "estimated"}
    shown: JsonObject = charge.model_dump(mode="json", include=wanted, exclude_none=True)
    return shown


def _cost(end: TurnEnd) -> str | None:
    amounts = [one.amount_usd for one in end.charges if one.amount_usd is not None]
    if not amounts and (end.charges or not end.plan.model.is_turn):
        return None
    return f"{sum(amounts):f}"


def _is_client_call(question: Interrupt) -> bool:
    return isinstance(question.value, dict) and question.value.get("type") == "tool_call"


def _id(end: TurnEnd, question: Interrupt, place: int = 0) -> str:
    value = question.value if isinstance(question.value, dict) else {}
    return call_id(end.plan.token, int(value.get("order", place)))


def message_reasoning(message: AIMessage) -> str:
    """The reasoning that came with one answer; empty if none did."""
    text = message.additional_kwargs.get("reasoning_content")
    return text if isinstance(text, str) else ""


def _reported(answers: Sequence[AIMessage]) -> Usage | None:
    """What the messages of a user's own graph say; a turn has charges."""
    return total_usage(
        [
            Usage(
                input_tokens=message.usage_metadata["input_tokens"],
                output_tokens=message.usage_metadata["output_tokens"],
            )
            for message in answers
            if message.usage_metadata is not None
        ]
    )
