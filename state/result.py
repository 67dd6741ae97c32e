"""What a turn leaves behind: its attempts, tool runs, charges and, when it is over, one
`TurnResult`.
"""

import json
from collections.abc import Mapping
from decimal import Decimal
from math import ceil
from typing import Any, Final, Literal

from pydantic import JsonValue

from turngraph.state.base import Frozen
from turngraph.state.errors import ERROR_KINDS, ErrorKind, ProviderError
from turngraph.state.reply import ProviderReply
from turngraph.state.request import ChatRequest
from turngraph.state.usage import Usage

__all__ = ["Attempt", "Charge", "PriceUsed", "ToolRun", "TurnError", "TurnResult", "TurnStatus"]

TurnStatus = Literal[
    "completed",  # the model answered
    "length",  # the answer was cut at max_tokens, or at the model's own end
    "content_filter",  # the vendor's filter cut or refused the answer
    "refused",  # the model declined, in its own words
    "empty",  # the model answered with nothing: no text, no call
    "truncated",  # the answer stopped on the wire before its end
    "limit",  # a limit of the turn was reached
    "budget",  # the money is not there
    "cancelled",  # the caller asked for it
    "error",  # no usable answer: see `error`
]

OwnErrorKind = Literal[
    "limit", "time_limit", "cost_limit", "budget", "cancelled", "configuration", "value"
]
TurnErrorKind = ErrorKind | OwnErrorKind

_OWN_STATUS: Final[Mapping[str, int]] = {
    "limit": 422,
    "time_limit": 408,
    "cost_limit": 402,
    "budget": 402,
    "cancelled": 499,  # «client closed request», nginx's word for it
    "configuration": 500,
    "value": 400,
}


class TurnError(Frozen):
    """Why a turn has no answer, as data: the vendor's status, code and request id, or the limit
    that was reached.
    """

    kind: TurnErrorKind
    message: str
    status: int | None = None
    """The HTTP status the vendor answered with."""
    code: str | None = None
    param: str | None = None
    request_id: str | None = None
    retry_after_s: float | None = None
    retryable: bool = False

    @classmethod
    def of(cls, error: ProviderError) -> "TurnError":
        """The data of a `ProviderError`."""
        return cls(
            kind=error.kind,
            message=str(error),
            status=error.status,
            code=error.code,
            param=error.param,
            request_id=error.request_id,
            retry_after_s=error.retry_after_s,
            retryable=error.retryable,
        )

    @property
    def http_status(self) -> int:
        """The status a caller is told: the vendor's own where it says what happened, never 200.

        >>> TurnError(kind="rate_limit", message="slow down", status=429).http_status
        429
        >>> TurnError(kind="time_limit", message="over 30 s").http_status
        408
        """
        if self.status is not None and self.status >= 400:
            return self.status
        return _OWN_STATUS[self.kind] if self.kind in _OWN_STATUS else ERROR_KINDS[self.kind].status  # type: ignore[index]


class Attempt(Frozen):
    """One request on the wire and what came of it. A call that is retried has several, in order."""

    id: str
    """`<call id>.<attempt number>`; unique for ever, and sent to the vendor as
    `X-Client-Request-Id`.
    """
    call_id: str
    """One call to the model: LangGraph's task id, the same over retry and resume, new in every
    fork.
    """
    number: int
    request: ChatRequest
    messages_sent: int
    """How many messages of the state stood in the request."""
    request_sha: str
    """SHA-256 of the JSON that was sent, hexadecimal."""
    started_at: float
    """Seconds since the epoch."""
    seconds: float
    reply: ProviderReply | None = None
    error: TurnError | None = None
    estimate: Usage | None = None
    """What it used as far as can be told, where an answer came and the vendor reported no usage."""
    held_usd: Decimal | None = None
    """What a ledger held for it, in USD."""
    billed: Literal["none", "partial", "unknown", "actual"] = "actual"
    """What the vendor may charge for it: an answer's usage, nothing, a part, or nobody knows."""
    warnings: tuple[str, ...] = ()
    """What the vendor's profile left out of the request, or rewrote."""


class ToolRun(Frozen):
    """One tool call of the turn: what was asked, what came back, how long it took."""

    call_id: str
    """The model's own id of the call."""
    name: str
    arguments: str
    status: Literal["ok", "error", "invalid", "unknown", "timeout", "rejected"]
    content: str
    """What the model was told."""
    seconds: float
    order: int
    """The place in the turn: results stand in the order the model asked, whichever tool was first.
    """
    kind: Literal["tool", "plugin"] = "tool"
    truncated: bool = False
    rows: int = 0
    """How many rows its result had, for a price per row."""
    attempt_id: str | None = None
    """The ledger's attempt, of a call that costs or must not run twice."""


class PriceUsed(Frozen):
    """The price a charge was made with, as it stood then. Rates are USD per million tokens."""

    source: str
    """`provider` (the vendor said the cost), `override`, or the version of genai-prices."""
    currency: str = "USD"
    """What the price stood in before it was turned into the USD below, by the rate given with it.
    """
    input_usd_per_mtok: Decimal | None = None
    cached_usd_per_mtok: Decimal | None = None
    cache_write_usd_per_mtok: Decimal | None = None
    output_usd_per_mtok: Decimal | None = None
    reasoning_usd_per_mtok: Decimal | None = None
    audio_input_usd_per_mtok: Decimal | None = None
    audio_output_usd_per_mtok: Decimal | None = None
    usd_per_request: Decimal | None = None
    usd_per_row: Decimal | None = None
    """Of a tool or plugin, whose price per call is the one per request."""
    usd_per_second: Decimal | None = None


class Charge(Frozen):
    """What one attempt, plugin call or tool call costs. One row, whatever it is charged to."""

    id: str
    kind: Literal["completion", "plugin", "tool"]
    attempt_id: str
    vendor: str
    model: str
    usage: Usage | None = None
    amount_usd: Decimal | None = None
    """In USD, to the nano-dollar; `None` where nobody knows the price, never zero for that."""
    unpriced: bool = False
    estimated: bool = False
    """The vendor reported no usage: the amount is an upper bound or a count of ours."""
    overrun: bool = False
    price: PriceUsed | None = None
    account: str | None = None
    plugin: str | None = None
    connection: str | None = None
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
    """The text of the last answer: whole when completed, what there was of it otherwise."""
    refusal: str | None = None
    error: TurnError | None = None
    finish_reason: str | None = None
    usage: Usage | None = None
    """Of all calls together; `None` where no vendor reported any."""
    cost_usd: Decimal | None = None
    """The sum of the charges; `None` where nothing could be priced."""
    unpriced: bool = False
    """Some call could not be priced: `cost_usd` is then less than what was spent."""
    charges: tuple[Charge, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    """Every request and response, in order, retries included."""
    tool_runs: tuple[ToolRun, ...] = ()
    plugins: tuple[str, ...] = ()
    """The names of the plugins selected for this turn."""
    message_ids: tuple[str, ...] = ()
    """The turn's own messages, by id, in `messages`."""
    warnings: tuple[str, ...] = ()
    seconds: float = 0.0

    def __str__(self) -> str:
        """On one line; `repr` has everything.

        >>> print(TurnResult(turn_id="t", status="completed", answer="It is 42.", cost_usd=Decimal("1e-7")))
        completed: It is 42. (0 calls, 0.0000001 USD, 0.0 s)
        """
        said = " ".join(
            (
                self.error.message if self.error is not None else self.answer or self.refusal or ""
            ).split()
        )
        calls = [(len(self.attempts), "call"), (len(self.tool_runs), "tool call")]
        counts = [
            f"{number} {what}{'' if number == 1 else 's'}"
            for number, what in calls
            if number or what == "call"
        ]
        cost = (
            "no price"
            if self.cost_usd is None
            else f"{self.cost_usd:f} USD{' and more' if self.unpriced else ''}"
        )
        short = said if len(said) <= 200 else said[:199] + "…"
        return f"{self.status}{': ' if short else ''}{short} ({', '.join([*counts, cost])}, {self.seconds:.1f} s)"

    @property
    def ok(self) -> bool:
        """Whether the model answered (a refusal or a cut answer is no error, but no answer either)."""
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
        """200 for an answer (a refusal or a cut one too), the error's true status otherwise."""
        return 200 if self.error is None else self.error.http_status

    def to_http(self) -> dict[str, Any]:
        """The turn in the gateway's shape: `{isBase64Encoded, statusCode, headers, body}`, the body
        JSON text.

        An answer's body is the vendor's last response, with `metadata` (tool calls, usage, cost,
        status) and `turn` (every iteration's request and response, plugin and tool names, charges).
        An error's body is `{"error": {...}, "turn": {...}}`, with its true status.
        """
        headers = {"Content-Type": "application/json"}
        if self.error is not None and self.error.retry_after_s is not None:
            headers["Retry-After"] = str(ceil(self.error.retry_after_s))  # whole seconds, RFC 9110
        return {
            "isBase64Encoded": False,
            "statusCode": self.http_status,
            "headers": headers,
            "body": json.dumps(self._body(), ensure_ascii=False, default=str),
        }

    def _body(self) -> dict[str, Any]:
        turn = self.model_dump(mode="json", exclude={"error", "answer"}, exclude_none=True)
        if self.error is not None:
            return {"error": self.error.model_dump(mode="json", exclude_none=True), "turn": turn}
        last = self.responses[-1] if self.responses else None
        raw: Mapping[str, JsonValue] = (
            last.raw if last is not None and isinstance(last.raw, dict) else {}
        )
        metadata = {
            "turn_id": self.turn_id,
            "status": self.status,
            "tool_calls": [run.model_dump(mode="json") for run in self.tool_runs],
            "usage": None
            if self.usage is None
            else self.usage.model_dump(mode="json", exclude_none=True),
            "cost_usd": None if self.cost_usd is None else f"{self.cost_usd:f}",
        }
        return {**raw, "metadata": metadata, "turn": turn}
