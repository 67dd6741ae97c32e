"""The threads of a graph's checkpointer, and what was said in them. They are only read."""

import time
from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from langchain_core.messages import BaseMessage
from langgraph.checkpoint.base import BaseCheckpointSaver, CheckpointTuple
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import PregelTask

from turngraph.interfaces.plain_text import money, one_line, printable
from turngraph.interfaces.stepper.engine.stored_thread import StoredThread
from turngraph.interfaces.user_graphs.loading import Graph
from turngraph.interfaces.user_graphs.owner import owner_in, owner_of
from turngraph.state.json_types import JsonObject
from turngraph.state.result import TurnResult

if TYPE_CHECKING:
    from turngraph.billing.ledger import Ledger

__all__ = ["StoredThreads", "found_messages", "list_threads", "unknown_nodes"]

_MOST_THREADS: Final = 50
_MOST_CHECKPOINTS: Final = 2_000
_MOST_SECONDS: Final = 1.0
"""Where a checkpointer has many long threads, the list ends here; any thread opens by its id."""
_EXCERPT: Final = 160
_BRANCH: Final = "branch:to:"
"""LangGraph's channel that lets a node run: `branch:to:call_llm`."""


class StoredThreads(NamedTuple):
    """What a list of threads shows, and how many threads of other graphs it leaves out."""

    threads: list[JsonObject]
    left_out: int


def list_threads(
    graph: Graph,
    words: str = "",
    ledger: "Ledger | None" = None,
    account: str | None = None,
    *,
    others: bool = False,
    siblings: Mapping[str, Graph] | None = None,
) -> StoredThreads:
    """Returns the threads of this graph that changed last, the newest first.

    Args:
        graph: the graph whose checkpointer stores them; without one there are none.
        words: only threads in whose id or messages this text stands.
        account: the account whose threads these are, if all are one's.
        ledger: knows what each thread has cost. Without one, the cost is that of its last turn.
        others: also the threads that other graphs have written into the same database.
        siblings: other graphs by name. A thread names those that may have written it as well.
    """
    saver = graph.checkpointer
    if not isinstance(saver, BaseCheckpointSaver):
        return StoredThreads([], 0)
    costs = _costs(ledger, account)
    candidates = {name: each for name, each in (siblings or {}).items() if each is not graph}
    shown, left_out = list[JsonObject](), 0
    for thread_id in _thread_ids(saver):
        thread = StoredThread(graph, thread_id)
        checkpoint = thread.latest()
        if checkpoint is None:
            continue
        foreign = unknown_nodes(graph, checkpoint) or _other_owner(graph, checkpoint)
        if foreign and not others:
            left_out += 1
        elif words.lower() in thread_id.lower() or (
            not foreign and _is_said(graph, thread_id, words)
        ):
            about = _described(thread, checkpoint, foreign, costs)
            shown.append(
                {**about, "also": _also_of(thread_id, checkpoint, {} if foreign else candidates)}
            )
        if len(shown) == _MOST_THREADS:
            break
    return StoredThreads(
        sorted(shown, key=lambda thread: str(thread["at"]), reverse=True), left_out
    )


def unknown_nodes(graph: Graph, checkpoint: CheckpointTuple) -> list[str]:
    """Returns the nodes that have run in a thread, or run next, and that `graph` does not have.

    A thread with such a node was written by another graph.
    """
    stored = checkpoint.checkpoint
    channels = filter(lambda name: name.startswith(_BRANCH), stored["channel_versions"])
    ahead = (name.removeprefix(_BRANCH) for name in channels)
    nodes = dict.fromkeys((*stored["versions_seen"], *ahead))
    return [name for name in nodes if not name.startswith("__") and name not in graph.nodes]


def _other_owner(graph: Graph, checkpoint: CheckpointTuple) -> list[str]:
    """Returns the name of another graph, of the same nodes, that has noted that it wrote a thread.

    Where nothing is noted, in the thread or by `graph`, the nodes alone decide.
    """
    owner, own = owner_in(checkpoint.metadata), owner_of(graph)
    return [Path(owner).name] if owner and own and owner != own else []


def _also_of(
    thread_id: str, checkpoint: CheckpointTuple, candidates: Mapping[str, Graph]
) -> list[str]:
    """The names of the candidates that have this thread too and may have written it.

    An app notes no owner in its threads, so of two graphs with the same nodes it may be either.
    """
    return [
        name
        for name, each in candidates.items()
        if not (unknown_nodes(each, checkpoint) or _other_owner(each, checkpoint))
        and _has_checkpoint(each, thread_id, checkpoint)
    ]


def _has_checkpoint(graph: Graph, thread_id: str, checkpoint: CheckpointTuple) -> bool:
    """Whether it is the latest of the thread for `graph` too: ids are never given twice."""
    if not isinstance(graph.checkpointer, BaseCheckpointSaver):
        return False
    latest = StoredThread(graph, thread_id).latest()
    return latest is not None and latest.checkpoint["id"] == checkpoint.checkpoint["id"]


def found_messages(messages: Sequence[Any], words: str) -> list[JsonObject]:
    """Returns the messages in which `words` stand: number, role, and the text around the words."""
    found = []
    for number, message in enumerate(messages):
        if not isinstance(message, BaseMessage):
            continue
        place = message.text.lower().find(words.lower())
        if place >= 0:
            excerpt = message.text[max(0, place - _EXCERPT // 2) : place + _EXCERPT]
            text = one_line(printable(excerpt), 2 * _EXCERPT)
            found.append({"number": number, "role": message.type, "text": text})
    return found


def _thread_ids(saver: BaseCheckpointSaver[Any]) -> list[str]:
    """The ids of threads, those that changed last first, as far as the checkpointer tells."""
    # `list()` of this one decodes every checkpoint and begins with the oldest thread.
    if type(saver) is InMemorySaver:
        return list(reversed(saver.storage))
    deadline = time.monotonic() + _MOST_SECONDS
    ids: dict[str, None] = {}
    # All are taken before the first thread is read: some checkpointers are locked during `list()`.
    for checkpoint in islice(saver.list(None), _MOST_CHECKPOINTS):
        ids[str(checkpoint.config["configurable"]["thread_id"])] = None
        if time.monotonic() > deadline:
            break
    return list(ids)


def _described(
    thread: StoredThread,
    checkpoint: CheckpointTuple,
    foreign: Sequence[str],
    costs: Mapping[str, Decimal],
) -> JsonObject:
    about = {"id": thread.thread_id, "at": checkpoint.checkpoint["ts"], "unknown": list(foreign)}
    if foreign:  # how it stands is known by its own graph alone
        cost = costs.get(thread.thread_id)
        return {**about, "status": "", "cost": "" if cost is None else money(cost)}
    state = thread.carried_state(checkpoint)
    result = state.values.get("result") if isinstance(state.values, Mapping) else None
    turn = result if isinstance(result, TurnResult) else None
    cost = costs.get(thread.thread_id, None if turn is None else turn.cost_usd)
    return {
        **about,
        "status": _status(state.tasks, turn),
        "cost": "" if cost is None else money(cost),
    }


def _status(tasks: Sequence[PregelTask], turn: TurnResult | None) -> str:
    """`waiting`, `failed`, `next` (something is left to run) or `done`."""
    if any(task.interrupts for task in tasks):
        return "waiting"
    if any(task.error for task in tasks):
        return "failed"
    if tasks:
        return "next"
    return "done" if turn is None or turn.ok else "failed"


def _is_said(graph: Graph, thread_id: str, words: str) -> bool:
    state = graph.get_state({"configurable": {"thread_id": thread_id}})
    return bool(found_messages(_messages(state.values), words))


def _messages(values: Any) -> Sequence[Any]:
    messages = values.get("messages") if isinstance(values, Mapping) else None
    return messages if isinstance(messages, list) else []


def _costs(ledger: "Ledger | None", account: str | None) -> Mapping[str, Decimal]:
    if ledger is None:
        return {}
    lines = ledger.spending("thread", account=account, limit=10_000)
    return {line.value: line.usd for line in lines}
