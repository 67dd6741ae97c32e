"""A checkpointer that writes only for the worker that holds the turn's lease.

Checkpoints have no fence (https://github.com/langchain-ai/langgraph/issues/8796). A worker that was
frozen, lost its turn and thaws would add a checkpoint behind those of the worker that took over,
and the thread would continue from it. So every write first checks that the lease is still valid, by
the worker's own clock; only when that is in doubt is the ledger asked.

A write that passes the check got its position in the thread's order before, while the lease was
valid. Checkpoints of a later worker come after it, however long the write takes to reach the disk.
"""

import copy
from collections.abc import Callable
from typing import Any, TypeVar

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver

from turngraph.billing.leases.lease_renewer import LeaseRenewer

__all__ = ["LeaseOf", "fenced"]

Saver = TypeVar("Saver", bound=BaseCheckpointSaver[Any])

LeaseOf = Callable[[RunnableConfig], tuple[str, int] | None]
"""Returns the turn and fence of a run, from its configuration; `None` where no ledger admitted the
run.
"""


def fenced(saver: Saver, leases: LeaseRenewer, lease_from: LeaseOf) -> Saver:
    """Returns a copy of `saver` on the same storage whose `put` and `aput` raise `FencedError` once
    another worker has taken the turn over.
    """
    # A copy of the same class keeps its storage and connections, and passes LangGraph's checks.
    clone = copy.copy(saver)
    put, aput = saver.put, saver.aput

    def put_fenced(config: RunnableConfig, *args: Any, **kwargs: Any) -> RunnableConfig:
        lease = lease_from(config)
        if lease is not None:
            leases.ensure_live(*lease)
        return put(config, *args, **kwargs)

    async def aput_fenced(config: RunnableConfig, *args: Any, **kwargs: Any) -> RunnableConfig:
        lease = lease_from(config)
        if lease is not None:
            await leases.aensure_live(*lease)
        return await aput(config, *args, **kwargs)

    vars(clone).update(put=put_fenced, aput=aput_fenced)
    return clone
