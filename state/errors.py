"""Every error that turngraph raises. A test compares this tree with the classes below.

TurngraphError
├── TurnConfigurationError    wired wrongly: an unknown vendor, a missing key; nothing was sent
├── TurnValueError            a value that cannot be sent: a wrong role, NaN, a lone surrogate
├── TurnInvocationError       a turn was called in a way that it cannot run
│   └── TurnPausedError       the turn waits for a person and has no result yet
├── StoredThreadError         a stored thread cannot be read: a damaged row, or no open connection
├── BudgetExceededError       a budget does not have the money that a call may cost
├── ToolError                 a tool call cannot be served; the model is told, the turn goes on
│   ├── UnknownToolError      the turn offers no such tool
│   ├── ToolArgumentsError    the arguments are not JSON, or do not fit the tool's schema
│   └── ToolTimeoutError      the tool did not answer in time
└── ProviderError             no usable answer came back; `kind` says why
    └── ResponsesAPIError     an explicit error event in a Responses stream

An error's text says what was seen, what is allowed and what to do. It never holds an API key.
"""

from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, get_args

from turngraph.state.kinds import BilledOnError
from turngraph.state.quoting import printable

if TYPE_CHECKING:  # every command imports this file, and LangGraph takes most of a second
    from langgraph.types import Interrupt

__all__ = [
    "ERROR_KINDS",
    "BudgetExceededError",
    "ErrorKind",
    "KindTraits",
    "ProviderError",
    "ResponsesAPIError",
    "StoredThreadError",
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
"""What went wrong with a request. The vendors' status codes and error codes are mapped to these."""


class KindTraits(NamedTuple):
    """What follows from an error's kind."""

    retryable: bool
    """Whether the same request may succeed later."""
    status: int
    """The HTTP status to answer with if the vendor gave none."""


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
    """The root of all errors that turngraph raises: `except TurngraphError` catches every one.

    Whatever its text quotes, it can be written to a file, a log or an answer.
    """

    def __init__(self, *args: object) -> None:
        super().__init__(*(printable(one) if isinstance(one, str) else one for one in args))


class TurnConfigurationError(TurngraphError):
    """A turn, a provider or a tool was wired wrongly. Nothing was sent."""


class TurnValueError(TurngraphError, ValueError):
    """A value cannot be sent to any vendor, or cannot be stored. Nothing was sent."""


class TurnInvocationError(TurngraphError):
    """A turn was called in a way that it cannot run."""


class TurnPausedError(TurnInvocationError):
    """A turn waits for a person, so a typed run has no result yet.

    `interrupts` has LangGraph's interrupts, each with the question in its `value`. Resume the turn
    with `run(Command(resume={"decision": "approve"}), thread=…)`.
    """

    def __init__(self, interrupts: "tuple[Interrupt, ...]") -> None:
        self.interrupts = interrupts
        questions = ", ".join(_shown(interrupt.value) for interrupt in interrupts)
        super().__init__(
            f"The turn waits for a person: {questions}. Resume it on its thread with "
            "`run(Command(resume={'decision': 'approve'}), thread=…)`."
        )


def _shown(question: object) -> str:
    """The question in a few words: the tool's name where a tool call waits for approval."""
    tool = question.get("tool") if isinstance(question, Mapping) else None
    if not isinstance(tool, str):
        return type(question).__name__
    problem = question.get("problem") if isinstance(question, Mapping) else None
    return f"approve `{tool}`?" + (f" ({problem})" if problem else "")


class StoredThreadError(TurngraphError):
    """A stored thread cannot be read. Nothing was sent.

    Attributes:
        thread: the thread's id; None where it is not known.
    """

    def __init__(self, thread: str | None, cause: Exception, *, closed: bool = False) -> None:
        self.thread = thread
        name = "A stored thread" if thread is None else f"The stored thread `{thread}`"
        why = (
            ": the checkpointer's connection is closed. Keep it open for as long as the graph is "
            "used: run the graph inside `with SqliteSaver.from_conn_string(…) as saver:`."
            if closed
            else f" ({type(cause).__name__}): a row of its checkpoints is damaged, or another "
            "program wrote it. Restore the row, or begin another thread."
        )
        super().__init__(f"{name} cannot be read{why}")


class BudgetExceededError(TurngraphError):
    """A hard budget does not have the money that a call may cost. Nothing was sent.

    Attributes:
        budget: the budget's name and whose it is.
        window: the time it counts: `always`, or the day or month.
        limit, spent, held: in USD: what it allows, what is settled, what running calls hold.
        needed: USD that this call may cost, or None if its price is unknown.
        closing_possible: whether one last call without tools still fits, from the budget's reserve.
        of_one_turn: whether it is the budget of a turn, and not of an account, a key or a thread.

    Example:
        >>> error = BudgetExceededError(
        ...     "turn", window="always", limit=Decimal("0.5"),
        ...     spent=Decimal("0.4"), held=Decimal(0), needed=Decimal("2e-7"),
        ... )
        >>> print(str(error).replace("; ", ";\\n"))
        Budget `turn` allows 0.5 USD;
        0.4 are spent and 0 held, and this call may need 0.0000002.
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
        of_one_turn: bool = False,
    ) -> None:
        self.budget, self.window = budget, window
        self.limit, self.spent, self.held, self.needed = limit, spent, held, needed
        self.closing_possible, self.of_one_turn = closing_possible, of_one_turn
        # The id of a turn is the program's own, and tells a person nothing.
        shown = "The budget of one turn" if of_one_turn else f"Budget `{budget}`"
        if window != "always":
            shown += f" ({window})"
        need = (
            f"this call may need {needed:f}"
            if needed is not None
            else "this call has no known price; "
            "give `prices=Prices((PriceOverride(…),))`, or the budget's `unpriced`"
        )
        super().__init__(
            f"{shown} allows {limit:f} USD; {spent:f} are spent and {held:f} held, and {need}."
        )


class ToolError(TurngraphError):
    """A tool call cannot be served. `dispatch_tools` tells the model, and the turn goes on.

    A tool may raise it to tell the model something in plain words.
    """


class UnknownToolError(ToolError):
    """The model called a tool that this turn does not offer.

    Attributes: `tool` (the name it called) and `offered` (the names it may call, sorted).

        >>> print(UnknownToolError("wether", offered=["weather"]))
        No tool named `wether` in this turn. Offered: `weather`.
    """

    def __init__(self, tool: str, *, offered: Collection[str]) -> None:
        self.tool, self.offered = tool, tuple(sorted(offered))
        names = ", ".join(f"`{name}`" for name in self.offered) or "none"
        super().__init__(f"No tool named `{tool[:100]}` in this turn. Offered: {names}.")


class ToolArgumentsError(ToolError):
    """The arguments of a tool call are not a JSON object, or do not fit the tool's schema."""


class ToolTimeoutError(ToolError):
    """A tool did not answer in the time it had.

    Attributes: `tool` (its name) and `timeout_s` (seconds).

        >>> print(ToolTimeoutError("weather", timeout_s=2.5))
        Tool `weather` did not answer within 2.5 seconds.
    """

    def __init__(self, tool: str, *, timeout_s: float) -> None:
        self.tool, self.timeout_s = tool, timeout_s
        super().__init__(f"Tool `{tool}` did not answer within {timeout_s:g} seconds.")


class ProviderError(TurngraphError):
    """No usable answer came back from a vendor.

    Attributes:
        kind: what went wrong, one of `ErrorKind`.
        vendor: the vendor's name.
        status: the HTTP status, or None if no answer came back.
        code, type, param, message: as the vendor wrote them.
        request_id: the vendor's id of the request, for support tickets.
        retry_after_s: seconds that the vendor asked to wait.
        retryable: whether the same request may succeed later.
        billed: what the vendor may charge for it, one of `BilledOnError`.

    Example:
        >>> error = ProviderError("Slow down.", kind="rate_limit", status=429, vendor="openai")
        >>> error.retryable, str(error)
        (True, 'openai answered 429 (rate_limit): Slow down.')
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
        billed: BilledOnError = "none",
    ) -> None:
        self.message, self.kind, self.vendor, self.status = message, kind, vendor, status
        self.code, self.type, self.param = code, type, param
        self.request_id, self.retry_after_s, self.billed = request_id, retry_after_s, billed
        self.retryable = ERROR_KINDS[kind].retryable if retryable is None else retryable
        who = vendor or "The vendor"
        what = f"{who} answered {status} ({kind})" if status is not None else f"{who}: {kind}"
        super().__init__(f"{what}: {message}" if message else what)


class ResponsesAPIError(ProviderError):
    """A Responses stream held an explicit error event (`error`, `response.failed`).

    Beside the attributes of `ProviderError` it has `sequence_number`, the event's place in the
    stream (https://platform.openai.com/docs/api-reference/responses-streaming/error).
    """

    sequence_number: int | None = None
