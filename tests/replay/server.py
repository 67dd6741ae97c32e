"""A server on a loopback socket that answers with recorded bytes, unchanged."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from tests.replay.recordings import Recording, framed, wire_bytes


class ReceivedRequest(NamedTuple):
    """One request: its path, its headers with names in lower case, its body."""

    path: str
    headers: dict[str, str]
    body: bytes


Pick = Callable[[ReceivedRequest], Recording]
"""Chooses the recording that answers a request."""


@contextmanager
def serving(recordings: Mapping[str, Recording]) -> Iterator[str]:
    """The base URL of a server of `recordings`: a request names the one it wants, and its framing,
    in `X-Client-Request-Id`, as in `rec_1` or `rec_1 bytes`.
    """

    def pick(asked: ReceivedRequest) -> Recording:
        id_, _, framing = asked.headers["x-client-request-id"].partition(" ")
        return framed(recordings[id_], framing)

    with answering(pick) as host:
        yield f"{host}/v1"


@contextmanager
def answering(pick: Pick) -> Iterator[str]:
    """The URL of a server that answers with what `pick` chooses, while the context lasts."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="replay-server", daemon=True)
    thread.start()
    connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def start() -> asyncio.Server:
        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            connections[task] = writer
            task.add_done_callback(connections.pop)
            await answer(reader, writer, pick)

        return await asyncio.start_server(connected, "127.0.0.1", 0)

    async def stop(server: asyncio.Server) -> None:
        server.close()
        for writer in connections.values():
            writer.close()  # the reader then comes to its end
        await asyncio.gather(*connections)
        await server.wait_closed()

    server = asyncio.run_coroutine_threadsafe(start(), loop).result()
    try:
        host, port = server.sockets[0].getsockname()[:2]
        yield f"http://{host}:{port}"
    finally:
        asyncio.run_coroutine_threadsafe(stop(server), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pick: Pick) -> None:
    """Answers the requests of one connection in order."""
    try:
        while (asked := await request_of(reader)) is not None:
            for data in wire_bytes(pick(asked)["response"]):
                if writer.is_closing():  # the client has what it needs
                    return
                writer.write(data)
                await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass  # the client has gone
    finally:
        writer.close()


async def request_of(reader: asyncio.StreamReader) -> ReceivedRequest | None:
    """Reads one request to its end; None if the client has closed the connection."""
    first = await reader.readline()
    if not first:
        return None
    headers: dict[str, str] = {}
    while (line := await reader.readline()).strip():
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return ReceivedRequest(first.split()[1].decode(), headers, body)
