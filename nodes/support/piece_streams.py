"""Sends the pieces of an answer to LangGraph's streams, without waking the event loop for each.

`astream` hands everything to its reader as from another thread: each piece is a callback of the
event loop, and a byte through a socket that wakes it. The pieces of an answer come on the loop's
own thread, a network read at a time, so they can be put into the reader's queue themselves. That
takes a fifth of the time.

LangGraph has no public way to its queue. Where a release of it looks different from what this
module knows, everything goes LangGraph's own way.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, Final, Generic, TypeVar

from langchain_core.messages import AIMessageChunk
from langchain_core.runnables import RunnableConfig
from langgraph.config import get_config
from langgraph.graph.message import push_message

from turngraph.state.events import AnyEvent

__all__ = ["piece_pusher", "piece_writer"]

T = TypeVar("T")
Queued = tuple[tuple[str, ...], str, Any]
"""What LangGraph puts into the queue: the namespace of the graph, the stream's name, the piece."""

_SEPARATOR: Final = "|"
"""Between the parts of a namespace."""


class InOrder(Generic[T]):
    """Sends pieces by `put`, once those that were sent by LangGraph's own way have arrived.

    What the stage sent before its first piece goes LangGraph's way, and is a callback of the loop
    that has perhaps not run yet. So the first pieces go that way too, until a callback behind them
    has run: callbacks run in the order in which they were made.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        own_way: Callable[[T], object],
        put: Callable[[T], None],
    ) -> None:
        self._loop, self._own_way, self._put = loop, own_way, put
        self._began, self._under_way = False, 0

    def __call__(self, piece: T) -> None:
        if self._began and not self._under_way:
            self._put(piece)
            return
        self._began = True
        self._under_way += 1
        self._own_way(piece)
        self._loop.call_soon(self._arrived)

    def _arrived(self) -> None:
        self._under_way -= 1


def piece_writer(writer: Callable[[AnyEvent], None]) -> Callable[[AnyEvent], None]:
    """Returns a cheaper `writer`, a node's `stream_writer`, for the pieces of one answer; itself if
    it does not belong to an `astream` on the running event loop.
    """
    # The writer's own variables.
    code = getattr(writer, "__code__", None)
    cells = getattr(writer, "__closure__", None) or ()
    known = dict(zip(getattr(code, "co_freevars", ()), cells, strict=False))
    if not {"aioloop", "stream"} <= known.keys():
        return writer
    loop, queue = asyncio._get_running_loop(), known["stream"].cell_contents
    if loop is None or loop is not known["aioloop"].cell_contents:
        return writer
    if not isinstance(queue, asyncio.Queue):
        return writer
    namespace = tuple(get_config()["configurable"]["checkpoint_ns"].split(_SEPARATOR)[:-1])

    def put(event: AnyEvent) -> None:
        queue.put_nowait((namespace, "custom", event))

    return InOrder(loop, writer, put)


def piece_pusher() -> Callable[[AIMessageChunk], object]:
    """Returns what sends a message chunk, with an id, to LangGraph's `messages` stream, as
    `push_message` does.
    """
    own_way: Callable[[AIMessageChunk], object] = partial(push_message, state_key=None)
    config = get_config()
    loop = asyncio._get_running_loop()
    known = _known_to_langgraph(config)
    if loop is None or known is None:
        return own_way
    namespace, handlers = known
    targets = [(handler.seen, _queue_put(handler, loop)) for handler in handlers]
    if any(put is None for _, put in targets):
        return own_way
    metadata = config["metadata"]

    def put_all(chunk: AIMessageChunk) -> None:
        for seen, put in targets:
            assert put is not None, "asked for above"
            assert chunk.id is not None, "a piece has the id of its message"
            seen.add(chunk.id)
            put((namespace, "messages", (chunk, metadata)))

    return InOrder(loop, own_way, put_all)


def _known_to_langgraph(config: RunnableConfig) -> tuple[tuple[str, ...], list[Any]] | None:
    """The namespace of the node's graph, and what tells its messages to the streams of the run.

    None where this release of LangGraph has other names for them.
    """
    try:
        from langgraph.pregel._messages import StreamMessagesHandler, graph_namespace

        namespace = graph_namespace(config["metadata"])
        handlers = [
            handler
            for handler in getattr(config["callbacks"], "handlers", ())
            if isinstance(handler, StreamMessagesHandler)
            and (handler.subgraphs or not namespace or namespace == handler.parent_ns)
        ]
        is_known = all(isinstance(handler.seen, set) for handler in handlers)
    except (ImportError, AttributeError, TypeError):
        return None
    return (namespace, handlers) if is_known else None


def _queue_put(handler: Any, loop: asyncio.AbstractEventLoop) -> Callable[[Queued], None] | None:
    """The `put_nowait` that `handler` has called by the running event loop, or None."""
    send = getattr(handler, "stream", None)
    if not isinstance(send, partial) or send.func != loop.call_soon_threadsafe:
        return None
    [put] = send.args
    return put  # type: ignore[no-any-return]
