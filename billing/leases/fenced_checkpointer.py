"""A checkpointer that writes only for the worker that has the turn.

Checkpoints carry no fence (https://github.com/langchain-ai/langgraph/issues/8796): a worker that
was frozen, lost its turn and thaws would add a checkpoint behind those of its heir, and the thread
would go on from there. So every write asks first whether the lease still runs, by the worker's own
clock; only when that is in doubt is the ledger asked.

A write that passes was given its place in the thread's order before it asked, while the lease ran.
The heir's are later, whatever happens to it on its way to the disk.
"""

import copy
from collections.abc import Callable
from typing import Any, TypeVar

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver

from turngraph.billing.ledger import Ledger

__all__ = ["LeaseOf", "fenced"]

Saver = TypeVar("Saver", bound=BaseCheckpointSaver[Any])

LeaseOf = Callable[[RunnableConfig], tuple[str, int] | None]
"""The turn and fence a run was given, from its configuration; `None` where no ledger has admitted
it.
"""


def fenced(saver: Saver, ledger: Ledger, lease_from: LeaseOf) -> Saver:
    """`saver`, of the same kind and on the same storage, whose `put` and `aput` raise `FencedError`
    for a lost turn.
    """
    clone = copy.copy(saver)
    put, aput = saver.put, saver.aput

    def put_fenced(config: RunnableConfig, *given: Any, **named: Any) -> RunnableConfig:
        lease = lease_from(config)
        if lease is not None:
            ledger.keeper.confirm(*lease)
        return put(config, *given, **named)

    async def aput_fenced(config: RunnableConfig, *given: Any, **named: Any) -> RunnableConfig:
        lease = lease_from(config)
        if lease is not None:
            await ledger.keeper.aconfirm(*lease)
        return await aput(config, *given, **named)

    vars(clone).update(put=put_fenced, aput=aput_fenced)
    return clone
