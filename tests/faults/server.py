"""The server that misbehaves: raw sockets, one script a request. It runs in a thread of its own.

The path says which case a request belongs to: `/17/v1/chat/completions` is the case 17.
"""

import asyncio
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from tests.faults.script import Drip, End, Endless, Script, Step, Wait

__all__ = ["FaultServer", "fault_server"]

Scripts = Callable[[int], Sequence[Script]]
"""The scripts of a case, by its number: the first is for its first request, the last for the rest.
"""
LONGEST_S = 60.0


class FaultServer:
    """Answers every request as the script of its case says, and counts the requests."""

    def __init__(self, scripts: Scripts) -> None:
        self._scripts = scripts
        self.requests: Counter[int] = Counter()
        self.port = 0

    async def listen(self) -> asyncio.Server:
        """Starts listening on a free port of the loopback address."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=1000)
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        keep = True
        # Cancelled is what is left at the end of the block of `fault_server`.
        with suppress(OSError, EOFError, asyncio.LimitOverrunError, asyncio.CancelledError):
            async with asyncio.timeout(LONGEST_S):
                while keep and (case := await _read_request(reader)) is not None:
                    scripts = self._scripts(case)
                    script = scripts[min(self.requests[case], len(scripts) - 1)]
                    self.requests[case] += 1
                    for step in script:
                        await _take(step, reader, writer)
                    keep = bool(script) and script[-1] is End.KEEP
        writer.close()


async def _read_request(reader: asyncio.StreamReader) -> int | None:
    """The number of the case of the next request, or None if that is no HTTP or none comes."""
    first = await reader.readexactly(1)
    if first == b"\x16":  # the beginning of TLS
        return None
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    path = head.split(" ")[1]
    lengths = [
        line.partition(":")[2] for line in head.lower().splitlines() if "content-length" in line
    ]
    await reader.readexactly(int(lengths[0]) if lengths else 0)
    case = path.split("/")[1]
    return int(case) if case.isdigit() else None


async def _take(step: Step, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    if isinstance(step, bytes):
        writer.write(step)
        await writer.drain()
    elif isinstance(step, Wait):
        await _while_connected(asyncio.sleep(step.seconds), reader)
    elif isinstance(step, Drip):
        for at in range(len(step.data)):
            writer.write(step.data[at : at + 1])
            await asyncio.sleep(step.every_s)
    elif isinstance(step, Endless):
        while True:  # a write to a connection that the client has closed fails, sooner or later
            writer.write(step.data)
            await writer.drain()
            await asyncio.sleep(step.every_s)
    elif step is End.RESET:
        linger = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    elif step is End.HALF:
        writer.write_eof()
        await reader.read(1)


async def _while_connected(waiting: object, reader: asyncio.StreamReader) -> None:
    """Waits, but no longer than the client stays."""
    wait = asyncio.ensure_future(waiting)  # type: ignore[call-overload]
    gone = asyncio.ensure_future(reader.read(1))
    _, pending = await asyncio.wait({wait, gone}, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()


@contextmanager
def fault_server(scripts: Scripts) -> Iterator[FaultServer]:
    """Yields a running server. Its connections end with the block."""
    server, loop = FaultServer(scripts), asyncio.new_event_loop()
    ready = threading.Event()

    async def run() -> None:
        listening = await server.listen()
        ready.set()
        with suppress(asyncio.CancelledError):
            await listening.serve_forever()

    task = loop.create_task(run())

    def serve() -> None:
        loop.run_until_complete(task)
        left = asyncio.all_tasks(loop)
        for one in left:
            one.cancel()
        if left:
            loop.run_until_complete(asyncio.wait(left))
        loop.close()

    thread = threading.Thread(target=serve, name="faults")
    thread.start()
    ready.wait()
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join()
