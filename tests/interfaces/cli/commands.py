"""The command line as a person meets it: another process, with an environment of its own, sometimes
on a terminal.
"""

import os
import pty
import select
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

from tests.interfaces.cli import warm
from tests.paths import LEAN

TURNGRAPH = str(Path(sys.executable).parent / "turngraph")
KEY = "sk-planted-0815-do-not-show"
PATIENCE_S = 120.0


def environment(home: Path, **more: str) -> dict[str, str]:
    """Nothing of the developer's own: no keys, no model, no history."""
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "TERM": "xterm",
        "PYTHONWARNINGS": "error",
        "PYTHONPATH": str(LEAN),
        **more,
    }


def turngraph(
    home: Path, *args: str, stdin: str = "", **env: str
) -> subprocess.CompletedProcess[str]:
    """`turngraph ARGS`, run to its end, in a process that need not import it first."""
    return warm.run(args, stdin=stdin, env=environment(home, **env), cwd=home)


def turngraph_from_nothing(
    home: Path, *args: str, stdin: str = "", **env: str
) -> subprocess.CompletedProcess[str]:
    """The same by the installed script, for what is decided when Python starts."""
    return subprocess.run(
        [TURNGRAPH, *args],
        input=stdin,
        env=environment(home, **env),
        cwd=home,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


class Terminal:
    """A command on a terminal of its own: what it shows can be awaited, and keys can be typed."""

    def __init__(
        self, home: Path, *args: str, rows: int = 40, columns: int = 100, **env: str
    ) -> None:
        self._ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (rows, columns))
        self.process = subprocess.Popen(
            [TURNGRAPH, *args],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=environment(home, COLUMNS=str(columns), **env),
            cwd=home,
            start_new_session=True,
            preexec_fn=_take_terminal,
        )
        os.close(theirs)
        self.shown = ""
        self._read_to = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._ours)

    def type(self, keys: str) -> None:
        """Press `keys`; `\\x03` is ctrl-c, `\\x04` ctrl-d."""
        os.write(self._ours, keys.encode())

    def until(self, text: str) -> str:
        """What is shown from here until `text` has appeared. Fails with all that was shown where it
        does not.
        """
        ends_at = time.monotonic() + PATIENCE_S
        while (place := self.shown.find(text, self._read_to)) < 0:
            assert time.monotonic() < ends_at, f"{text!r} never came; shown: {self.shown!r}"
            assert self.read(0.1) or self.process.poll() is None, (
                f"ended without {text!r}; shown: {self.shown!r}"
            )
        seen = self.shown[self._read_to : place + len(text)]
        self._read_to = place + len(text)
        return seen

    def wait_for(self, happened: Callable[[], bool]) -> None:
        """Read on until something has happened elsewhere."""
        ends_at = time.monotonic() + PATIENCE_S
        while not happened():
            assert time.monotonic() < ends_at, f"it never happened; shown: {self.shown!r}"
            self.read(0.05)

    def end(self) -> int:
        """Wait for the command to end, reading on; its exit code."""
        ends_at = time.monotonic() + PATIENCE_S
        while self.process.poll() is None:
            assert time.monotonic() < ends_at, f"still running; shown: {self.shown!r}"
            self.read(0.1)
        while self.read(0.0):
            pass
        return self.process.returncode

    def read(self, seconds: float) -> bool:
        """Wait up to `seconds` for something more to be shown; whether it was."""
        if not select.select([self._ours], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self._ours, 65536)
        except OSError:  # Linux says so when the other side is closed
            return False
        self.shown += data.decode(errors="replace")
        return bool(data)


def _take_terminal() -> None:
    """Make the terminal the process's own, so that ctrl-c reaches it as a signal, whoever runs
    these tests.
    """
    import fcntl
    import signal

    signal.signal(
        signal.SIGINT, signal.SIG_DFL
    )  # a job in the background has it ignored, and hands that down
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def one_sentence(done: subprocess.CompletedProcess[str]) -> str:
    """The only line on stderr, which is no traceback."""
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("turngraph: ")
    return lines[0].removeprefix("turngraph: ")
