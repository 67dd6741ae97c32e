"""A budget: how much may be spent, by whom, in which period, and what happens at the limit."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Final, Literal, NamedTuple

from pydantic import Field

from turngraph.billing.store.calls import Call
from turngraph.state.base import Frozen

__all__ = ["Budget", "BudgetDimension", "BudgetPeriod", "Window"]

BudgetDimension = Literal["turn", "thread", "account", "api_key_id", "tag", "ledger"]
BudgetPeriod = Literal["always", "day", "month"]

_PERIODS: Final = ("always", "day", "month")


class Budget(Frozen):
    """A limit on spending, in USD.

    `per` names what has this limit each: every turn, thread, account, API key or tag, or the whole
    ledger together; `of` restricts the budget to one of them. A hard budget refuses a call before
    anything is sent; a soft one only warns. Days and months are those of UTC.

        >>> Budget(usd=Decimal(20), per="account", period="month").id
        'account-month'
        >>> Budget(usd=Decimal(100), per="account", of="acme", period="month", hard=False).id
        'account-month-acme'
    """

    usd: Annotated[Decimal, Field(ge=0, allow_inf_nan=False)]
    per: BudgetDimension = "turn"
    of: str | None = None
    period: BudgetPeriod = "always"
    hard: bool = True
    name: str | None = None
    warn_at: tuple[Annotated[float, Field(gt=0)], ...] = (0.8, 1.0)
    """Shares of the limit at which a warning is given."""
    last_answer_usd: Annotated[Decimal, Field(ge=0)] = Decimal(0)
    """Reserved for one closing call without tools, so that a turn can end with an answer."""
    unpriced: Literal["refuse", "mark"] | Decimal = "refuse"
    """What happens to a call without a known price: it is refused; or made and marked; or held and
    charged at this many USD.
    """

    # For type checkers: amounts may be given as text, too. Pydantic makes Decimals of them.
    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            usd: Decimal | str | int,
            per: BudgetDimension = "turn",
            of: str | None = None,
            period: BudgetPeriod = "always",
            hard: bool = True,
            name: str | None = None,
            warn_at: tuple[float, ...] = (0.8, 1.0),
            last_answer_usd: Decimal | str = Decimal(0),
            unpriced: Literal["refuse", "mark"] | Decimal | str = "refuse",
        ) -> None: ...

    @property
    def id(self) -> str:
        """The name, or one made of what the budget is for."""
        if self.name:
            return self.name
        # "always" is left out, unless what follows could be read as a period.
        needs_period = self.period != "always" or (self.of or "").startswith(_PERIODS)
        period = self.period if needs_period else ""
        return "-".join(part for part in (self.per, period, self.of) if part)

    def windows(self, call: Call, now: float) -> Iterator["Window"]:
        """Yields the windows of this budget that `call` counts in. `now` is in seconds since the
        epoch.
        """
        day = datetime.fromtimestamp(now, UTC).date().isoformat()
        window = {"always": "always", "day": day, "month": day[:7]}[self.period]
        for value in call.attribution.values(self.per):
            if self.of is None or self.of == value:
                yield Window(self.window_id(value), window, self)

    def window_id(self, value: str) -> str:
        """Under which id the ledger counts this budget for one account (thread, turn, …).

        The first colon ends the budget's name, so one within the name is written as `%3A`.

            >>> Budget(usd="1", per="account").window_id("acme:1")
            'account:acme:1'
        """
        return f"{self.id.replace('%', '%25').replace(':', '%3A')}:{value}"

    @staticmethod
    def name_and_value(window_id: str) -> tuple[str, str]:
        """Returns what `window_id` was made of: the budget's id, and the account (thread, turn, …).

        >>> Budget.name_and_value(Budget(usd="1", per="tag", name="team:a").window_id("b"))
        ('team:a', 'b')
        """
        name, _, value = window_id.partition(":")
        return name.replace("%3A", ":").replace("%25", "%"), value


class Window(NamedTuple):
    """One budget of one account (thread, turn, …) in one period: what is summed and compared."""

    budget_id: str
    window: str
    """`always`, a day such as `2026-10-31`, or a month such as `2026-10`."""
    budget: Budget
