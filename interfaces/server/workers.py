"""Serves in several processes: starts them, replaces those that die, and hands signals on."""

import logging
import multiprocessing
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from types import FrameType
from typing import Any, Final

from fastapi import FastAPI

from turngraph.interfaces.server.metrics import forget_process
from turngraph.interfaces.server.uvicorn_server import run_here
from turngraph.state.errors import TurnConfigurationError, TurngraphError

__all__ = ["MOST_FAILURES", "Workers"]

MOST_FAILURES: Final = 5
"""After how many workers in a row that ended before they could serve the server gives up."""
_LOOK_S: Final = 0.2
"""How often signals are looked for."""
_PAUSE_S: Final = 0.5
"""The pause before a worker is replaced; it doubles with each that could not start."""
_KILL_AFTER_S: Final = 5.0
"""How long a worker that is to end at once may take."""
_STOPS: Final = (signal.SIGTERM, signal.SIGINT)
_SPAWN: Final = multiprocessing.get_context("spawn")

_log: Final = logging.getLogger("turngraph.server")


class _Worker:
    """One process that serves."""

    def __init__(self, work: Callable[..., None], *given: Any) -> None:
        self.pipe, theirs = _SPAWN.Pipe()
        self.process: BaseProcess = _SPAWN.Process(target=work, args=(theirs, *given))
        self.process.start()
        theirs.close()
        self.is_ready = self.must_reload = False
        self.problem = ""

    def look(self) -> None:
        """Reads what the process has said: that it serves, or why it does not."""
        try:
            while self.pipe.poll():
                said = self.pipe.recv()
                self.is_ready, self.problem = said is None, said or ""
        except EOFError:
            return  # it has ended, which `exitcode` tells

    def send(self, number: int) -> None:
        if self.process.pid is not None and self.process.exitcode is None:
            os.kill(self.process.pid, number)


class Workers:
    """The processes of one server, which share a listening socket. For the main thread.

    Args:
        app_of_process: makes the application of a process; found by its name in each of them.
        options: of `uvicorn.Config`.
    """

    def __init__(
        self,
        count: int,
        app_of_process: Callable[[], FastAPI],
        options: Mapping[str, Any],
        sock: socket.socket,
    ) -> None:
        self._given = app_of_process, dict(options), sock
        self._workers: list[_Worker | None] = [None] * count
        self._signals: list[int] = []
        self._failures, self._start_at = 0, 0.0

    def run(self) -> None:
        """Serves until a signal ends it: the first one drains, a second one ends it at once.

        Raises TurnConfigurationError after `MOST_FAILURES` workers in a row that could not start.
        """
        with self._listening():
            try:
                while not self._is_told_to_stop():
                    self._replace()
                    self._wait()
            finally:
                self._stop()

    @contextmanager
    def _listening(self) -> Iterator[None]:
        numbers = [*_STOPS, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
        before = {number: signal.signal(number, self._note) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._signals.append(number)

    def _is_told_to_stop(self) -> bool:
        """Looks at the signals that have come. Of those that reload, all workers are told."""
        while self._signals:
            if self._signals.pop(0) in _STOPS:
                return True
            for worker in self._alive():
                # A process that is not ready has no handler yet, and would die of it.
                worker.must_reload = True
        for worker in self._alive():
            if worker.must_reload and worker.is_ready:
                worker.must_reload = False
                worker.send(signal.SIGHUP)
        return False

    def _replace(self) -> None:
        """Starts the workers that are missing. Raises TurnConfigurationError if none can serve."""
        for number, worker in enumerate(self._workers):
            if worker is not None:
                worker.look()
                if worker.is_ready:
                    self._failures = 0
                if worker.process.exitcode is not None:
                    self._workers[number] = None
                    self._note_death(worker)
        if time.monotonic() >= self._start_at:
            for number, worker in enumerate(self._workers):
                if worker is None:
                    self._workers[number] = _Worker(_work, *self._given)

    def _note_death(self, worker: _Worker) -> None:
        process = worker.process
        why = worker.problem or f"it ended with the exit code {process.exitcode}"
        _log.warning("Worker %s has ended and is replaced: %s", process.pid, why)
        if process.pid is not None:
            forget_process(process.pid)
        self._failures += not worker.is_ready
        self._start_at = time.monotonic() + _PAUSE_S * 2 ** max(0, self._failures - 1)
        if self._failures >= MOST_FAILURES:
            raise TurnConfigurationError(
                f"{MOST_FAILURES} workers in a row could not start, so the server has ended. "
                f"About the last one: {why}"
            )

    def _wait(self) -> None:
        """Waits until a worker says something or ends, or it is time to look at the signals."""
        alive = self._alive()
        said = [each.pipe for each in alive if not each.is_ready]
        wait([*said, *(each.process.sentinel for each in alive)], _LOOK_S)

    def _alive(self) -> list[_Worker]:
        return [each for each in self._workers if each is not None]

    def _stop(self) -> None:
        """Ends all workers, and waits for them."""
        _log.info("All workers are told to stop")
        running = [each.process for each in self._alive()]
        for worker in self._alive():
            worker.send(signal.SIGTERM)
        at_once: float | None = None
        while running := [each for each in running if each.exitcode is None]:
            wait([each.sentinel for each in running], _LOOK_S)
            if at_once is None and any(number in _STOPS for number in self._signals):
                at_once = time.monotonic()
                for worker in self._alive():
                    worker.send(getattr(signal, "SIGQUIT", signal.SIGTERM))
            if at_once is not None and time.monotonic() - at_once > _KILL_AFTER_S:
                for process in running:
                    process.kill()


def _work(
    pipe: Connection,
    app_of_process: Callable[[], FastAPI],
    options: Mapping[str, Any],
    sock: socket.socket,
) -> None:
    """What a worker process does. It says None when it serves, or in a sentence why it cannot."""
    threading.Thread(target=_end_with_parent, args=(pipe,), daemon=True).start()
    try:
        run_here(app_of_process(), options, sock, on_started=lambda _: pipe.send(None))
    except TurngraphError as exc:
        pipe.send(" ".join(str(exc).split()))
        raise SystemExit(2) from None
    except KeyboardInterrupt:  # how uvicorn ends after SIGINT
        raise SystemExit(0) from None


def _end_with_parent(pipe: Connection) -> None:
    """Ends this process in order when the one that watches it has died."""
    try:
        pipe.recv()
    except (EOFError, OSError):
        os.kill(os.getpid(), signal.SIGTERM)
