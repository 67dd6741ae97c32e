"""The stored threads of one account: of all others a checkpointer is made to know nothing."""

from collections.abc import AsyncIterator, Iterator
from copy import copy
from typing import Any, TypeVar, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver, CheckpointTuple
from sqlalchemy import func, select

from turngraph.billing.ledger import Ledger
from turngraph.billing.store.schema import turn_t
from turngraph.billing.store.transaction import LedgerTransaction
from turngraph.interfaces.server.tables import response_t
from turngraph.interfaces.server.thread_ids import id_of

__all__ = ["AccountThreads", "is_of_account", "limited"]

Saver = TypeVar("Saver", bound=BaseCheckpointSaver[Any])

_MOST: int = 200
"""How many threads of an account are listed, those that changed last."""


class AccountThreads:
    """Which threads are an account's, by the ids that the server has given them.

    Args:
        ledger: knows the turns of the account, and the stored responses beside them.
        account: the account.
        model: the model whose threads are listed.
    """

    def __init__(self, ledger: Ledger, account: str, model: str) -> None:
        self._ledger, self._account, self._model = ledger, account, model

    def owns(self, config: RunnableConfig) -> bool:
        """Whether the thread that a configuration names is one of these."""
        thread = str(config.get("configurable", {}).get("thread_id", ""))
        return is_of_account(thread, self._account)

    def newest_first(self) -> Iterator[RunnableConfig]:
        """Yields the configurations of the threads that changed last."""
        prefix = id_of(self._account, self._model, "")
        found = self._ledger.store.read(_threads_of, self._account, self._model, prefix)
        for thread in found:
            config: RunnableConfig = {"configurable": {"thread_id": thread, "checkpoint_ns": ""}}
            yield config


def is_of_account(thread: str, account: str) -> bool:
    """Whether the server gave a thread its id for this account.

    >>> is_of_account("acme/small/0815", "acme"), is_of_account("acme/small/0815", "ac")
    (True, False)
    """
    return thread.startswith(id_of(account, ""))


def limited(saver: Saver, threads: AccountThreads) -> Saver:
    """Returns a copy of `saver`, on the same storage, that reads `threads` and no other."""
    # A subclass of its class keeps its connections and passes LangGraph's checks.
    copied, kind = copy(saver), cast("Any", type(saver))
    copied.__class__ = type(kind.__name__, (_Limited, kind), {"threads": threads})
    return copied


class _Limited(BaseCheckpointSaver[Any]):
    """The methods that read, for a class that also inherits from a checkpointer's own."""

    threads: AccountThreads

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        return super().get_tuple(config) if self.threads.owns(config) else None

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        return await super().aget_tuple(config) if self.threads.owns(config) else None

    def list(self, config: RunnableConfig | None, **options: Any) -> Iterator[CheckpointTuple]:
        # The checkpointer's own list of all threads would read through those of everyone.
        if config is None:
            yield from filter(None, map(self.get_tuple, self.threads.newest_first()))
        elif self.threads.owns(config):
            yield from super().list(config, **options)

    async def alist(
        self, config: RunnableConfig | None, **options: Any
    ) -> AsyncIterator[CheckpointTuple]:
        if config is not None and self.threads.owns(config):
            async for each in super().alist(config, **options):
                yield each


def _threads_of(tx: LedgerTransaction, account: str, model: str, prefix: str) -> list[str]:
    """The threads of a model's turns and stored responses, those that changed last before others.

    A graph of the user's own has responses, but no turns in this ledger.
    """
    turns, responses = turn_t.c, response_t.c
    of_turns = (turns.account == account, turns.thread_id.startswith(prefix, autoescape=True))
    of_responses = (responses.account == account, responses.model == model)
    changed: dict[str, float] = {}
    for thread, time, conditions in (
        (turns.thread_id, func.max(turns.updated), of_turns),
        (responses.thread, func.max(responses.created), of_responses),
    ):
        query = select(thread, time).where(*conditions).group_by(thread)
        for name, at in tx.conn.execute(query.order_by(time.desc()).limit(_MOST)):
            changed[name] = max(at, changed.get(name, at))
    return sorted(changed, key=lambda name: -changed[name])[:_MOST]
