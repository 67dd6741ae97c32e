"""What the server does on a signal: SIGTERM drains it, a second one ends it, SIGHUP reloads it."""

import asyncio
import logging
import signal
import threading
import time
from collections.abc import Awaitable, Callable
from types import FrameType
from typing import Any, Final

__all__ = ["Signals"]

_log: Final = logging.getLogger("turngraph.server")


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
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stopper(signal.getsignal(number)))
        if on_reload is not None and hasattr(signal, "SIGHUP"):
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._reload, on_reload)

    def seconds_left(self, drain_seconds: float) -> float:
        """How long running turns may still go on."""
        if self.stopped_at is None:
            return drain_seconds
        return max(0.0, drain_seconds - (time.monotonic() - self.stopped_at))

    def _stopper(self, of_uvicorn: Any) -> Callable[[int, FrameType | None], None]:
        def stop(number: int, frame: FrameType | None) -> None:
            # uvicorn ends at once on a second SIGINT, and waits on whatever else.
            seen = signal.SIGINT if self.stopped_at is not None else number
            self.stopped_at = self.stopped_at or time.monotonic()
            self.on_stop()
            if callable(of_uvicorn):
                of_uvicorn(seen, frame)

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
