"""What the server does on a signal: SIGTERM drains it, a second one ends it, SIGHUP reloads it.

A worker may get a signal twice at once, from whoever sends it to all processes (a terminal,
systemd) and from the process that watches it. So for a worker a second SIGTERM says nothing new,
and SIGQUIT ends it.
"""

import asyncio
import logging
import multiprocessing
import signal
import threading
import time
from collections.abc import Awaitable, Callable
from types import FrameType
from typing import Any, Final

__all__ = ["Signals"]

_log: Final = logging.getLogger("turngraph.server")

_DRAINING: Final = (signal.SIGTERM, signal.SIGINT)
"""The signals of which the first one lets turns end."""


class Signals:
    """Listens beside uvicorn, whose own handlers stop it. Of no effect outside the main thread."""

    def __init__(self) -> None:
        self.stopped_at: float | None = None
        """When the server was told to stop, in seconds of `time.monotonic`."""
        self.on_stop: Callable[[], object] = lambda: None
        """Called, in the main thread, when the server is told to stop."""
        self._reloading: set[asyncio.Task[None]] = set()

    def listen(self, on_reload: Callable[[], Awaitable[None]] | None) -> None:
        """Starts to listen. Called when uvicorn has set its handlers and the loop runs."""
        if threading.current_thread() is not threading.main_thread():
            return
        is_worker = multiprocessing.parent_process() is not None
        for number in (signal.SIGTERM, signal.SIGINT):
            of_uvicorn = signal.getsignal(number)
            signal.signal(number, self._stopper(of_uvicorn, at_once=not is_worker))
        if is_worker and hasattr(signal, "SIGQUIT"):
            signal.signal(signal.SIGQUIT, self._stopper(of_uvicorn, at_once=True))
        if on_reload is not None and hasattr(signal, "SIGHUP"):
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._reload, on_reload)

    def seconds_left(self, drain_seconds: float) -> float:
        """How long running turns may still go on."""
        if self.stopped_at is None:
            return drain_seconds
        return max(0.0, drain_seconds - (time.monotonic() - self.stopped_at))

    def _stopper(
        self, of_uvicorn: Any, *, at_once: bool
    ) -> Callable[[int, FrameType | None], None]:
        """Returns a handler. `at_once` says whether a second signal ends what still runs."""

        def stop(number: int, frame: FrameType | None) -> None:
            is_first, self.stopped_at = self.stopped_at is None, self.stopped_at or time.monotonic()
            self.on_stop()
            if callable(of_uvicorn) and is_first:
                of_uvicorn(number if number in _DRAINING else signal.SIGTERM, frame)
            if callable(of_uvicorn) and at_once and (not is_first or number not in _DRAINING):
                # uvicorn ends at once on a second SIGINT, and waits on whatever else.
                of_uvicorn(signal.SIGINT, frame)

        return stop

    def _reload(self, on_reload: Callable[[], Awaitable[None]]) -> None:
        async def reload() -> None:
            try:
                await on_reload()
                _log.info("The configuration was read again")
            except Exception as exc:  # noqa: BLE001  what is served goes on
                _log.error("The configuration was not changed: %s", exc)

        task = asyncio.create_task(reload())
        self._reloading.add(task)
        task.add_done_callback(self._reloading.discard)
