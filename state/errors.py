"""Every error turngraph raises, on one page. A test keeps this tree true.

TurngraphError
├── TurnConfigurationError    wired wrongly: an unknown vendor, a missing key; raised before anything is sent
├── TurnValueError            a value nobody can send: a wrong role, NaN, a lone surrogate (a ValueError too)
├── TurnInvocationError       a turn called in a way it cannot run
│   └── TurnPausedError       a typed run reached a question to a person before its end
├── BudgetExceededError       the money a call may cost is not there: which budget, its limit, spent, held, needed
├── ToolError                 a tool call that cannot be served; the model is told
│   ├── UnknownToolError      no such tool in this turn
│   ├── ToolArgumentsError    arguments that are not JSON, or do not fit the tool's schema
│   └── ToolTimeoutError      the tool took too long
└── ProviderError             no usable answer came back; `kind` says why
    └── ResponsesAPIError     an explicit error event in a Responses stream

An error's text names what was seen, what was allowed and what to do. It never holds a key.
"""

from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Final, Literal, NamedTuple, get_args

from langgraph.types import Interrupt

__all__ = [
    "ERROR_KINDS",
    "BudgetExceededError",
    "ErrorKind",
    "KindTraits",
    "ProviderError",
    "ResponsesAPIError",
    "ToolArgumentsError",
    "ToolError",
    "ToolTimeoutError",
    "TurnConfigurationError",
    "TurnInvocationError",
    "TurnPausedError",
    "TurnValueError",
    "TurngraphError",
    "UnknownToolError",
]

ErrorKind = Literal[
    "connection",  # nobody answered: refused, reset before an answer, TLS
    "timeout",  # no answer, or no next byte, in the time allowed
    "authentication",  # 401
    "permission",  # 403
    "not_found",  # 404: no such model or path
    "bad_request",  # 400, 422 and other 4xx: the request itself is wrong
    "context_length",  # the conversation does not fit the model
    "content_filter",  # refused by the vendor's filter
    "conflict",  # 409
    "too_large",  # 413, or an answer above the reader's limits
    "rate_limit",  # 429
    "quota",  # 402, or 429 because the account is out of money
    "server",  # 5xx, or an error event inside an answer
    "overloaded",  # 503, 529
    "truncated",  # the answer stopped before its end
    "protocol",  # not what the API's documentation describes: HTML, an empty body, a redirect
]


class KindTraits(NamedTuple):
    """What follows from an error's kind: may a retry help, and which HTTP status stands for it."""

    retryable: bool
    status: int


ERROR_KINDS: Final[Mapping[ErrorKind, KindTraits]] = {
    "connection": KindTraits(retryable=True, status=502),
    "timeout": KindTraits(retryable=True, status=504),
    "authentication": KindTraits(retryable=False, status=401),
    "permission": KindTraits(retryable=False, status=403),
    "not_found": KindTraits(retryable=False, status=404),
    "bad_request": KindTraits(retryable=False, status=400),
    "context_length": KindTraits(retryable=False, status=400),
    "content_filter": KindTraits(retryable=False, status=400),
    "conflict": KindTraits(retryable=True, status=409),
    "too_large": KindTraits(retryable=False, status=413),
    "rate_limit": KindTraits(retryable=True, status=429),
    "quota": KindTraits(retryable=False, status=402),
    "server": KindTraits(retryable=True, status=502),
    "overloaded": KindTraits(retryable=True, status=503),
    "truncated": KindTraits(retryable=False, status=502),
    "protocol": KindTraits(retryable=False, status=502),
}
assert set(ERROR_KINDS) == set(get_args(ErrorKind)), "every kind of error has its traits"


class TurngraphError(Exception):
    """The root of everything turngraph raises."""


class TurnConfigurationError(TurngraphError):
    """A turn, provider or tool was wired wrongly; nothing has been sent."""


class TurnValueError(TurngraphError, ValueError):
    """A value was given that no vendor could be sent; nothing has been sent."""


class TurnInvocationError(TurngraphError):
    """A turn was called in a way it cannot run."""


class TurnPausedError(TurnInvocationError):
    """A turn waits for a person, so a typed run has no result yet.

    `interrupts` has LangGraph's interrupts, each with the question in its `value`. Resume the turn
    with `run(Command(resume={"decision": "approve"}), thread=…)`.
    """

    def __init__(self, interrupts: tuple[Interrupt, ...]) -> None:
        self.interrupts = interrupts
        questions = ", ".join(_shown(interrupt.value) for interrupt in interrupts)
        super().__init__(
            f"The turn waits for a person: {questions}. Resume it on its thread with "
            "`run(Command(resume={'decision': 'approve'}), thread=…)`."
        )


def _shown(question: object) -> str:
    """The question in a few words: the tool's name where a tool call waits for approval."""
    tool = question.get("tool") if isinstance(question, Mapping) else None
    return f"approve `{tool}`?" if isinstance(tool, str) else type(question).__name__


class BudgetExceededError(TurngraphError):
    """A hard budget has not the money a call may cost; nothing has been sent.

    Attributes: `budget` (its name and whose it is), `window` (`always`, or the day or month), and
    in USD `limit`, `spent` (settled), `held` (for calls under way), `needed` (by this call, `None`
    where its price is unknown). `closing_possible` says whether one last call without tools still
    fits, out of the budget's reserve for it.

        >>> error = BudgetExceededError("turn", window="always", limit=Decimal("0.5"), spent=Decimal("0.4"),
        ...                             held=Decimal(0), needed=Decimal("2e-7"))
        >>> str(error)
        'Budget `turn` (always) allows 0.5 USD; 0.4 are spent and 0 held, and this call may need 0.0000002.'
    """

    def __init__(
        self,
        budget: str,
        *,
        window: str,
        limit: Decimal,
        spent: Decimal,
        held: Decimal,
        needed: Decimal | None,
        closing_possible: bool = False,
    ) -> None:
        self.budget, self.window, self.limit, self.spent, self.held = (
            budget,
            window,
            limit,
            spent,
            held,
        )
        self.needed, self.closing_possible = needed, closing_possible
        need = (
            f"this call may need {needed:f}"
            if needed is not None
            else "this call has no known price; give `prices=Prices((PriceOverride(…),))`, or the budget's `unpriced`"
        )
        super().__init__(
            f"Budget `{budget}` ({window}) allows {limit:f} USD; {spent:f} are spent and {held:f} held, and {need}."
        )


class ToolError(TurngraphError):
    """A tool call that cannot be served. `dispatch_tools` tells the model; the turn goes on."""


class UnknownToolError(ToolError):
    """A tool was asked for that this turn does not offer."""

    def __init__(self, tool: str, *, offered: Collection[str]) -> None:
        self.tool, self.offered = tool, tuple(sorted(offered))
        names = ", ".join(f"`{name}`" for name in self.offered) or "none"
        super().__init__(f"No tool named `{tool[:100]}` in this turn. Offered: {names}.")


class ToolArgumentsError(ToolError):
    """A tool was called with arguments that are not a JSON object, or do not fit its schema."""


class ToolTimeoutError(ToolError):
    """A tool did not answer in the time it had."""

    def __init__(self, tool: str, *, timeout_s: float) -> None:
        self.tool, self.timeout_s = tool, timeout_s
        super().__init__(f"Tool `{tool}` did not answer within {timeout_s:g} seconds.")


class ProviderError(TurngraphError):
    """No usable answer came back from a vendor.

    Attributes: `kind` (what went wrong, of `ErrorKind`), `status` (the HTTP status, where one came
    back), `code` and `type` (the vendor's own words), `message`, `param`, `request_id`,
    `retry_after_s` (seconds the vendor asked to wait), `retryable` (may the same request succeed
    later), `billed` (what the vendor may charge for it: `none`, `partial` where an answer had
    begun, `unknown` where the request was sent and nothing is known).

        >>> error = ProviderError("Rate limit reached.", kind="rate_limit", status=429, vendor="openai")
        >>> error.retryable, str(error)
        (True, 'openai answered 429 (rate_limit): Rate limit reached.')
    """

    def __init__(
        self,
        message: str,
        *,
        kind: ErrorKind,
        vendor: str | None = None,
        status: int | None = None,
        code: str | None = None,
        type: str | None = None,
        param: str | None = None,
        request_id: str | None = None,
        retry_after_s: float | None = None,
        retryable: bool | None = None,
        billed: Literal["none", "partial", "unknown"] = "none",
    ) -> None:
        self.message, self.kind, self.vendor, self.status = message, kind, vendor, status
        self.code, self.type, self.param = code, type, param
        self.request_id, self.retry_after_s, self.billed = request_id, retry_after_s, billed
        self.retryable = ERROR_KINDS[kind].retryable if retryable is None else retryable
        who = vendor or "The vendor"
        said = f"{who} answered {status} ({kind})" if status is not None else f"{who}: {kind}"
        super().__init__(f"{said}: {message}" if message else said)


class ResponsesAPIError(ProviderError):
    """An explicit error event (`error`, `response.failed`) in a Responses stream.

    Has `sequence_number`, the event's place in the stream, beside what `ProviderError` carries
    (https://platform.openai.com/docs/api-reference/responses-streaming/error).
    """

    sequence_number: int | None = None
