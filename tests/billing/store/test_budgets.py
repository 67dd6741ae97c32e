"""Budgets: what is refused, before anything is sent, and what it says."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from turngraph.billing.budget import Budget
from turngraph.billing.store.calls import Call, CostAttribution
from turngraph.state.errors import BudgetExceededError

Open = Callable[..., Any]
DAY_S = 86_400


def budget(usd: str, **more: Any) -> Budget:
    return Budget(usd=Decimal(usd), **more)


def test_a_hard_budget_refuses_before_anything_is_sent(open_book: Open) -> None:
    """And says what was asked of it: its name, window, limit, spent, held and needed."""
    book = open_book(budget("0.02"))
    book.paid("0.004", "a")
    book.begin("b")
    with pytest.raises(BudgetExceededError) as caught:
        book.begin("c")
    error = caught.value
    assert (error.budget, error.window, error.limit) == ("turn:u", "always", Decimal("0.02"))
    assert (error.spent, error.held, error.needed) == (
        Decimal("0.004"),
        Decimal("0.01"),
        Decimal("0.01"),
    )
    assert book.rows("SELECT * FROM attempt WHERE call_id = 'c'") == []
    assert book.verified()


def test_of_two_budgets_with_one_id_the_lower_counts(open_book: Open) -> None:
    """Also where neither refuses a call without a price."""
    marking = budget("0.02").model_copy(update={"unpriced": "mark"})
    book = open_book(marking)
    lower = marking.model_copy(update={"usd": Decimal("0.005")})
    with pytest.raises(BudgetExceededError) as caught:
        book.begin("a", budgets=(lower,))
    assert caught.value.limit == Decimal("0.005")


def test_a_budget_may_be_used_up_to_its_limit(open_book: Open) -> None:
    """The limit itself is allowed; a nano-dollar more is not."""
    book = open_book(budget("0.02"))
    book.begin("a", "0.02")
    with pytest.raises(BudgetExceededError):
        book.begin("b", "0.000000001")


def test_a_call_above_the_whole_limit_is_refused_at_once(open_book: Open) -> None:
    """There is no window yet, and none is made."""
    book = open_book(budget("0.02"))
    with pytest.raises(BudgetExceededError, match="0 are spent and 0 held"):
        book.reserve(usd="0.03")
    assert book.rows("SELECT * FROM budget_window") == []


def test_many_budgets_are_held_at_once_or_none_is(open_book: Open) -> None:
    """A refusal by the last of them lets go of the first."""
    book = open_book(budget("1", per="account"), budget("0.01", per="turn"))
    book.begin("a")
    with pytest.raises(BudgetExceededError) as error:
        book.begin("b")
    assert error.value.budget == "turn:u"
    assert book.window("account:acme") == (0, Decimal("0.01"))


@pytest.mark.parametrize(
    ("per", "same", "other"),
    [
        ("turn", CostAttribution(turn="u"), CostAttribution(turn="v")),
        ("thread", CostAttribution(thread="t"), CostAttribution(thread="u")),
        ("account", CostAttribution(account="a"), CostAttribution(account="b")),
        ("api_key_id", CostAttribution(api_key_id="k"), CostAttribution(api_key_id="l")),
        ("tag", CostAttribution(tags=("x", "y")), CostAttribution(tags=("z",))),
    ],
)
def test_each_turn_thread_account_key_and_tag_has_the_limit_for_itself(
    open_book: Open, per: str, same: CostAttribution, other: CostAttribution
) -> None:
    """One tenant's spending must not end another's, and must end its own."""
    book = open_book(budget("0.01", per=per))
    book.begin("a", call=Call(attribution=same))
    book.begin("b", call=Call(attribution=other))
    with pytest.raises(BudgetExceededError):
        book.begin("c", call=Call(attribution=same))


def test_the_whole_ledger_may_have_a_limit(open_book: Open) -> None:
    """Whoever asks."""
    book = open_book(budget("0.01", per="ledger"))
    book.begin("a", call=Call(attribution=CostAttribution(account="a")))
    with pytest.raises(BudgetExceededError):
        book.begin("b", call=Call(attribution=CostAttribution(account="b")))


def test_who_has_no_name_shares_the_nameless_budget(open_book: Open) -> None:
    """Leaving the account out must not be a way around its budget."""
    book = open_book(budget("0.01", per="api_key_id"))
    book.begin("a")
    with pytest.raises(BudgetExceededError):
        book.begin("b")


def test_a_budget_may_be_for_one_account_only(open_book: Open) -> None:
    """The others keep theirs."""
    book = open_book(budget("0.01", per="account", of="acme"))
    book.begin("a")
    book.begin("b", call=Call(attribution=CostAttribution(account="other")))
    with pytest.raises(BudgetExceededError):
        book.begin("c")


def test_a_period_ends_and_its_holds_stay_in_it(open_book: Open) -> None:
    """A call begun before midnight is charged to the day it was held in."""
    book = open_book(
        budget("0.01", per="account", period="day"), budget("0.025", per="account", period="month")
    )
    book.begin("a")
    with pytest.raises(BudgetExceededError):
        book.begin("b")
    book.clock.now += DAY_S
    book.begin("b")
    book.settle("a.1", "0.01")
    days = book.rows("SELECT * FROM budget_window WHERE budget_id LIKE 'account-day%' ORDER BY 2")
    assert [(row["settled_nano"], row["held_nano"]) for row in days] == [
        (10_000_000, 0),
        (0, 10_000_000),
    ]
    book.clock.now += DAY_S
    with pytest.raises(BudgetExceededError) as error:
        book.begin("c")
    assert error.value.budget == "account-month:acme"
    assert book.verified()


def test_a_soft_budget_only_tells(open_book: Open) -> None:
    """Each threshold once, when spending passes it."""
    book = open_book(budget("0.01", hard=False, warn_at=(0.5, 1.0)))
    crossed = [
        book.settle(book.begin(name).attempt_id, "0.006").crossed for name in ("a", "b", "c")
    ]
    assert [[(c.threshold, c.spent_usd) for c in each] for each in crossed] == [
        [(0.5, Decimal("0.006"))],
        [(1.0, Decimal("0.012"))],
        [],
    ]
    assert crossed[0][0].limit_usd == Decimal("0.01")


def test_a_last_answer_is_kept_back(open_book: Open) -> None:
    """A turn whose money runs out can still end in words: one closing call without tools fits."""
    book = open_book(budget("0.03", last_answer_usd=Decimal("0.01")))
    book.begin("a", "0.02")
    with pytest.raises(BudgetExceededError) as error:
        book.begin("b", "0.01")
    assert error.value.closing_possible
    assert book.begin("b", "0.01", closing=True).attempt_id == "b.1"
    with pytest.raises(BudgetExceededError) as error:
        book.reserve("c", "0.01", closing=True)
    assert not error.value.closing_possible


def test_a_call_without_a_price_is_refused_under_a_hard_budget(open_book: Open) -> None:
    """Otherwise an unlisted model would be a way to spend without limit."""
    book = open_book(budget("1"))
    with pytest.raises(BudgetExceededError, match="no known price") as error:
        book.begin(usd=None)
    assert error.value.needed is None


@pytest.mark.parametrize("more", [{"unpriced": "mark"}, {"hard": False}])
def test_a_call_without_a_price_may_be_made_and_marked(open_book: Open, more: Any) -> None:
    """If that is what the budget's owner wants."""
    book = open_book(budget("1", **more))
    book.begin(usd=None)
    book.settle("c.1", None)
    assert book.row("c.1")["basis"] == "unpriced"


def test_a_call_without_a_price_may_have_a_ceiling(open_book: Open) -> None:
    """It is held and charged at that much, and marked as a guess."""
    book = open_book(
        budget("1", unpriced=Decimal("0.05")), budget("1", per="account", unpriced=Decimal("0.02"))
    )
    assert book.reserve(usd=None).held_usd == Decimal("0.05")
    assert book.begin(usd=None, reservation="r").held_usd == Decimal("0.05")
    assert book.settle("c.1", None).amount_usd == Decimal("0.05")
    assert book.row("c.1")["estimated"]
    assert book.verified()


def test_budgets_may_be_kept_in_the_ledger(open_book: Open) -> None:
    """An operator sets them once; every worker follows, from the next call on."""
    operator, worker = open_book(), open_book()
    operator.ledger.set_budget(budget("5", per="account"))
    operator.ledger.set_budget(budget("0.01", per="account"))
    assert worker.ledger.list_budgets() == (budget("0.01", per="account"),)
    worker.begin("a")
    with pytest.raises(BudgetExceededError):
        worker.begin("b")
    assert operator.ledger.remove_budget("account")
    assert not operator.ledger.remove_budget("account")
    worker.begin("b")
    worker.settle("a.1")
    assert worker.verified()


def test_a_budget_comes_with_the_call_too(book: Any) -> None:
    """`chat_turn(budget=…)`: a limit for one graph's turns."""
    book.begin("a", budgets=(budget("0.01"),))
    with pytest.raises(BudgetExceededError):
        book.begin("b", budgets=(budget("0.01"),))


def test_a_raised_limit_holds_at_once(open_book: Open) -> None:
    """The window takes the limit of whoever asks last, for reports and thresholds as well."""
    open_book(budget("0.01")).begin("a")
    book = open_book(budget("0.05"))
    book.begin("b")
    assert book.rows("SELECT limit_nano FROM budget_window")[0]["limit_nano"] == 50_000_000


def test_no_two_budgets_have_one_id() -> None:
    """An account may be called `month`: its budget must not take the place of everybody's for a
    month.
    """
    named = (None, "acme", "always", "day", "month", "day-acme", "always-day-acme")
    periods: tuple[Any, ...] = ("always", "day", "month")
    budgets = [
        budget("1", per="account", of=of, period=period) for of in named for period in periods
    ]
    assert len({budget.id for budget in budgets}) == len(budgets)
