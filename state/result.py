"""What a turn leaves behind: attempts, tool runs, charges, and at the end one `TurnResult`."""

import json
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Final, Self

from pydantic import field_serializer
from pydantic_core import to_jsonable_python

from turngraph.state.base import Frozen
from turngraph.state.errors import TurnInvocationError
from turngraph.state.http_body import http_body, http_headers
from turngraph.state.json_types import JsonObject
from turngraph.state.kinds import Billed, ChargeKind, ToolKind, ToolRunStatus, TurnStatus
from turngraph.state.reply import ProviderReply
from turngraph.state.request import ChatRequest
from turngraph.state.turn_error import TurnError
from turngraph.state.usage import Usage

__all__ = ["Attempt", "Charge", "PriceUsed", "ToolRun", "TurnResult"]

_LINE_CHARS: Final = 200
_CONVERSATION: Final = "_conversation"


class Attempt(Frozen):
    """One request on the wire and its outcome. A call that is retried has several, in order."""

    id: str
    """`<call id>.<attempt number>`. It is unique forever, and sent to the vendor as
    `X-Client-Request-Id`.
    """
    call_id: str
    """Identifies one call to the model. It is the same after a retry, a resume, and another run of
    the same turn from its beginning, and new in every fork.
    """
    number: int
    """The number of the attempt at this call, from 1."""
    request: ChatRequest
    messages_sent: int
    """How many messages of the state the request carried."""
    request_sha: str
    """SHA-256 of the JSON that was sent, in hexadecimal."""
    started_at: float
    """Seconds since the epoch."""
    seconds: float
    reply: ProviderReply | None = None
    """The answer, or the part of it that arrived."""
    error: TurnError | None = None
    estimate: Usage | None = None
    """The usage, if an answer came and the vendor did not report all of it: what it left out is
    estimated.
    """
    held_usd: Decimal | None = None
    """USD that a ledger held for it."""
    settled_usd: Decimal | None = None
    """USD that a ledger charged when it stored the answer; None if it has not charged it yet."""
    billed: Billed = "actual"
    """What the vendor may charge for it."""
    warnings: tuple[str, ...] = ()
    """What the vendor's profile left out of the request or rewrote, one sentence each."""


class ToolRun(Frozen):
    """One tool call of the turn and its answer."""

    call_id: str
    """The model's own id of the call. Some vendors use the same id in every answer."""
    name: str
    arguments: str
    """The text the model wrote, or the JSON that a person put in its place."""
    status: ToolRunStatus
    content: str
    """What the model was told."""
    seconds: float
    order: int
    """The call's place in the turn, from 0. Results stand in the order of the calls, whichever tool
    ended first.
    """
    kind: ToolKind = "tool"
    truncated: bool = False
    """Whether `content` was cut at `TurnLimits.tool_result_chars`."""
    rows: int = 0
    """How many rows the result had, for a price per row."""
    attempt_id: str | None = None
    """The ledger's id, for a call that costs money or must not run twice."""


class PriceUsed(Frozen):
    """The price a charge was made with, as it was then. Rates are in USD per million tokens."""

    source: str
    """`provider` (the vendor reported the cost), `override`, or the version of genai-prices."""
    currency: str = "USD"
    """The currency the price was given in. The rates below are already converted to USD."""
    input_usd_per_mtok: Decimal | None = None
    cached_usd_per_mtok: Decimal | None = None
    cache_write_usd_per_mtok: Decimal | None = None
    output_usd_per_mtok: Decimal | None = None
    reasoning_usd_per_mtok: Decimal | None = None
    audio_input_usd_per_mtok: Decimal | None = None
    audio_output_usd_per_mtok: Decimal | None = None
    usd_per_request: Decimal | None = None
    """Also the price per call of a tool or plugin."""
    usd_per_row: Decimal | None = None
    """Tools and plugins only."""
    usd_per_second: Decimal | None = None
    """Tools and plugins only."""


class Charge(Frozen):
    """What one attempt, plugin call or tool call costs."""

    id: str
    kind: ChargeKind
    attempt_id: str
    vendor: str
    model: str
    usage: Usage | None = None
    amount_usd: Decimal | None = None
    """USD, exact to the nano-dollar. None means that no price is known; it is then never zero."""
    unpriced: bool = False
    """No price is known."""
    estimated: bool = False
    """The vendor did not report the whole usage: the amount is an upper bound, or our own count."""
    overrun: bool = False
    """The amount is above what was held for the call."""
    price: PriceUsed | None = None
    account: str | None = None
    plugin: str | None = None
    connection: str | None = None
    """The connection of a plugin from a manifest."""
    tool: str | None = None


class TurnResult(Frozen):
    """A finished turn.

    >>> result = TurnResult(turn_id="t", status="completed", answer="4")
    >>> result.ok, result.to_http()["statusCode"]
    (True, 200)
    """

    turn_id: str
    status: TurnStatus
    answer: str = ""
    """The text of the last answer: whole if `status` is `completed`, else the part that arrived."""
    parsed: Any = None
    """The answer as its `response_format` describes it: an instance of the class that the turn was
    built with, or plain JSON. A result that is read from a checkpoint has plain JSON. None
    without a format, or where the answer does not fit (status `invalid_answer`).
    """
    refusal: str | None = None
    """The model's own words, if it declined to answer."""
    error: TurnError | None = None
    finish_reason: str | None = None
    """Of the last answer: `stop`, `length`, `tool_calls`, `content_filter`, or a vendor's word."""
    usage: Usage | None = None
    """The sum over all calls; None if no vendor reported any."""
    cost_usd: Decimal | None = None
    """The sum of the charges in USD: 0 if there is none, None if none of them has a price."""
    unpriced: bool = False
    """Some call has no price: more was spent than `cost_usd`."""
    charges: tuple[Charge, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    """Every request and its answer, in order, retries included."""
    tool_runs: tuple[ToolRun, ...] = ()
    """Every tool call, in the order of the calls."""
    plugins: tuple[str, ...] = ()
    """The names of the plugins selected for this turn."""
    message_ids: tuple[str, ...] = ()
    """The ids of this turn's own messages in the state's `messages`."""
    new_messages: tuple[JsonObject, ...] = ()
    """This turn's own messages as Chat Completions has them: the user's, the model's, the tools'.
    `openai_messages` are those of the whole conversation.
    """
    warnings: tuple[str, ...] = ()
    """What was left out, rewritten or accepted in the turn, one sentence each."""
    seconds: float = 0.0

    @field_serializer("parsed")
    def _plain(self, parsed: Any) -> Any:
        # A checkpoint holds no classes of the user's: nobody could read it without them.
        return to_jsonable_python(parsed, by_alias=True)

    def __str__(self) -> str:
        """The result on one line. `repr` shows every field.

        >>> cost = Decimal("1e-7")
        >>> print(TurnResult(turn_id="t", status="completed", answer="42.", cost_usd=cost))
        completed: 42. (0 calls, 0.0000001 USD, 0.0 s)
        """
        message = self.error.message if self.error is not None else self.answer or self.refusal
        text = " ".join((message or "").split())
        if len(text) > _LINE_CHARS:
            text = text[: _LINE_CHARS - 1] + "…"
        counts = [(len(self.attempts), "call"), (len(self.tool_runs), "tool call")]
        parts = [
            f"{count} {noun}{'' if count == 1 else 's'}"
            for count, noun in counts
            if count or noun == "call"
        ]
        if self.cost_usd is None:
            parts.append("no price")
        else:
            parts.append(f"{self.cost_usd:f} USD{' and more' if self.unpriced else ''}")
        return (
            f"{self.status}{': ' if text else ''}{text} ({', '.join(parts)}, {self.seconds:.1f} s)"
        )

    @property
    def ok(self) -> bool:
        """Whether the model answered. A refusal or a cut answer is no error, but not an answer."""
        return self.status == "completed"

    @property
    def requests(self) -> tuple[ChatRequest, ...]:
        """Every request of the turn, in order."""
        return tuple(attempt.request for attempt in self.attempts)

    @property
    def responses(self) -> tuple[ProviderReply, ...]:
        """Every answer of the turn, in order."""
        return tuple(attempt.reply for attempt in self.attempts if attempt.reply is not None)

    @property
    def http_status(self) -> int:
        """200 for an answer, also for a refusal or a cut one; else the error's status."""
        return 200 if self.error is None else self.error.http_status

    @property
    def openai_messages(self) -> tuple[JsonObject, ...]:
        """The whole conversation as Chat Completions has it, written when it is asked for.

        A result is stored without it, since every turn of a thread would store the conversation
        again. Results from a run of the turn, and from its `get_state` and `get_state_history`,
        have it. Raises TurnInvocationError for one that was read elsewhere, such as in the state of
        a parent graph: `turngraph.openai_messages(state)` reads the conversation there.
        """
        read: Callable[[], Sequence[JsonObject]] | None = vars(self).get(_CONVERSATION)
        if read is None:
            raise TurnInvocationError(
                "This result was read from storage without its conversation. Call "
                "`openai_messages(state)` with the state that it stood in."
            )
        return tuple(read())

    def with_conversation(self, read: Callable[[], Sequence[JsonObject]]) -> Self:
        """Returns this result with a function that reads its `openai_messages`."""
        copied = self.model_copy()
        # No field: it is neither stored nor compared.
        vars(copied)[_CONVERSATION] = read
        return copied

    def to_http(self, *, openai_messages: Sequence[JsonObject] = ()) -> JsonObject:
        """Returns the turn as an HTTP response of a gateway, such as AWS API Gateway's.

        The dict has `isBase64Encoded`, `statusCode`, `headers` and `body` (JSON text). The body of
        an answer is the vendor's last response, with two members added: `metadata` (tool calls,
        usage, cost, status) and `turn` (every request and response, tools, plugins, charges, the
        turn's new messages, and `openai_messages`, the conversation, if given). The body of an
        error is `{"error": {…}, "turn": {…}}`. If a stage of the caller's own replaced
        the answer, the body is a chat completion with the new text, and has no attempts.

            >>> TurnResult(turn_id="t", status="completed").to_http()["headers"]
            {'Content-Type': 'application/json'}
        """
        return {
            "isBase64Encoded": False,
            "statusCode": self.http_status,
            "headers": http_headers(self.error),
            "body": json.dumps(http_body(self, openai_messages), ensure_ascii=False, default=str),
        }
