"""A worker that lost its turn writes no checkpoint: the thread goes on from its heir's."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.checkpoint.memory import InMemorySaver
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from turngraph.billing.errors import FencedError, LedgerUnavailableError
from turngraph.billing.leases.fenced_checkpointer import fenced
from turngraph.billing.leases.leases import admit

Open = Callable[..., Any]


def lease_from(config: Any) -> tuple[str, int] | None:
    lease = config["configurable"].get("lease")
    return None if lease is None else ("u", lease)


def write(saver: Any, lease: int | None, *, task: bool) -> Any:
    config = {"configurable": {"thread_id": "t", "checkpoint_ns": "", "lease": lease}}
    metadata = {"source": "loop", "step": 0}
    given: tuple[Any, ...] = (config, empty_checkpoint(), metadata, {})
    return asyncio.run(saver.aput(*given)) if task else saver.put(*given)


def statements(book: Any) -> list[str]:
    seen: list[str] = []
    event.listen(
        book.ledger.store.engine, "before_cursor_execute", lambda c, k, sql, *_: seen.append(sql)
    )
    return seen


both = pytest.mark.parametrize("task", [False, True], ids=["sync", "async"])


@both
def test_a_worker_that_slept_through_its_lease_writes_nothing(open_book: Open, task: bool) -> None:
    """Frozen, taken over, thawed: its next checkpoint would have become the thread's last."""
    book, heir = open_book(), open_book()
    fence = book.ledger.store.run(admit, "u", thread="t").fence
    inner = InMemorySaver()
    saver = fenced(inner, book.ledger.leases, lease_from)
    book.ledger.leases.start_renewing("u", fence, book.clock.now)
    write(saver, fence, task=task)
    book.clock.now += 61
    heir.ledger.store.run(admit, "u", thread="t")
    with pytest.raises(FencedError):
        write(saver, fence, task=task)
    book.ledger.leases.stop_renewing("u", fence)
    assert len(list(inner.list({"configurable": {"thread_id": "t"}}))) == 1


@both
def test_a_running_lease_is_not_asked_for_at_every_write(open_book: Open, task: bool) -> None:
    """Only when the worker's own clock leaves a doubt: being admitted was the first answer."""
    book = open_book()
    fence = book.ledger.store.run(admit, "u", thread="t").fence
    saver = fenced(InMemorySaver(), book.ledger.leases, lease_from)
    book.ledger.leases.start_renewing("u", fence, book.clock.now)
    asked = statements(book)
    for _ in range(5):
        write(saver, fence, task=task)
    assert asked == []
    book.clock.now += 55
    write(saver, fence, task=task)
    assert asked != []
    asked.clear()
    write(saver, fence, task=task)
    assert asked == []
    book.ledger.leases.stop_renewing("u", fence)


def test_a_run_without_a_lease_writes_as_ever(open_book: Open) -> None:
    """A parent's own checkpoints, or a turn without a ledger."""
    book = open_book()
    saver = fenced(InMemorySaver(), book.ledger.leases, lease_from)
    write(saver, None, task=False)
    write(saver, None, task=True)
    assert isinstance(saver, InMemorySaver)


def test_a_doubt_that_cannot_be_settled_writes_nothing(open_book: Open) -> None:
    """The ledger is away and the lease may be over: the write waits for an answer, and then is
    refused.
    """
    book = open_book()
    fence = book.ledger.store.run(admit, "u", thread="t").fence
    saver = fenced(InMemorySaver(), book.ledger.leases, lease_from)

    def away(*_: Any) -> None:
        raise OperationalError("away", {}, OSError())

    book.ledger.leases.start_renewing("u", fence, book.clock.now)
    book.clock.now += 55
    event.listen(book.ledger.store.engine, "before_cursor_execute", away)
    with pytest.raises(LedgerUnavailableError):
        write(saver, fence, task=False)
    book.ledger.leases.stop_renewing("u", fence)


def test_a_lease_that_ended_is_not_remembered(open_book: Open) -> None:
    """What is over for the keeper is over for the checkpointer."""
    book = open_book()
    fence = book.ledger.store.run(admit, "u", thread="t").fence
    leases = book.ledger.leases
    leases.start_renewing("u", fence, book.clock.now)
    leases.ensure_live("u", fence)
    assert leases.is_live("u", fence)
    assert leases.stop_renewing("u", fence)
    assert not leases.is_live("u", fence)
    leases.ensure_live("u", fence)
    assert not leases.is_live("u", fence)


def test_a_turn_that_is_over_still_writes_its_last_checkpoint(open_book: Open) -> None:
    """The checkpoint of the last stage comes after it: until then the lease is held."""
    book = open_book()
    fence = book.ledger.store.run(admit, "u", thread="t").fence
    leases = book.ledger.leases
    leases.start_renewing("u", fence, book.clock.now)
    assert not leases.is_over("u", fence)
    leases.mark_over("u", fence)
    assert leases.is_over("u", fence)
    write(fenced(InMemorySaver(), book.ledger.leases, lease_from), fence, task=False)
    assert leases.stop_renewing("u", fence)
    assert not leases.is_over("u", fence)
