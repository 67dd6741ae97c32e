"""The processes of the contenders, as whoever measures sees them."""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Self

__all__ = ["Process", "is_installed", "many_files", "missing"]

ROOT: Final = Path(__file__).parents[1]
OWN_PYTHON: Final = ROOT / ".bench" / "bin" / "python"
OWN_ENVIRONMENT: Final = frozenset({"agno_agent", "openai_agents"})
"""Contenders whose packages do not go together with turngraph's. `make bench` installs them into
`.bench`.
"""
QUIET: Final = {"AGNO_TELEMETRY": "false", "OPENAI_AGENTS_DISABLE_TRACING": "1"}
FILES: Final = 8192


def is_installed(contender: str) -> bool:
    """Whether `contender` can be measured here."""
    return contender not in OWN_ENVIRONMENT or OWN_PYTHON.exists()


def missing() -> list[str]:
    """The contenders that cannot be measured here."""
    return sorted(name for name in OWN_ENVIRONMENT if not is_installed(name))


class Process:
    """A worker (see `worker.py`) in a process of its own, with the contender's own packages.

    imported: whether it begins by importing the contender.
    """

    def __init__(self, contender: str, *, imported: bool = True) -> None:
        python = str(OWN_PYTHON) if contender in OWN_ENVIRONMENT else sys.executable
        self.contender = contender
        self._process = subprocess.Popen(
            [python, "-m", "benchmarks.worker", *([contender] if imported else [])],
            cwd=ROOT,
            env={**os.environ, **QUIET},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None, "it was asked for"
        assert self._process.stdout is not None, "it was asked for"
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def do(self, do: str, **arguments: Any) -> dict[str, Any]:
        """The figures of one command. Raises AssertionError with what went wrong there."""
        assert self._process.stdin is not None, "it was asked for"
        assert self._process.stdout is not None, "it was asked for"
        self._process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        figures: dict[str, Any] = json.loads(line) if line else {"error": "its process ended"}
        assert "error" not in figures, f"{self.contender} cannot {do}: {figures['error']}"
        return figures


@contextmanager
def many_files() -> Iterator[None]:
    """Let this process and its children open as many connections as turns wait at once."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
