"""Processes that run the command line and do not import it first, which takes more than a second.

One process imports it and forks itself for each command. What a command is given (arguments,
environment, folder, standard streams) and what it leaves behind is a process's own all the same.
"""

import multiprocessing
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from multiprocessing.reduction import DupFd
from pathlib import Path
from typing import Any, NoReturn

from tests.paths import ROOT

_IMPORTED = (
    "turngraph.graphs.chat",
    "turngraph.interfaces.user_graphs.loading",
    *(
        f"turngraph.interfaces.cli.commands.{command}"
        for command in ("chat", "ledger", "plugins", "run", "step")
    ),
    "turngraph.interfaces.cli.graph_conversation",
    "turngraph.interfaces.cli.output.live",
    "turngraph.interfaces.cli.output.report",
    "turngraph.interfaces.cli.turn_runner",
    "turngraph.providers.wire.http_connection",
    "turngraph.scripted.server",
    "jsonschema_rs",
    "langgraph.checkpoint.sqlite",
    __name__,
)
_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(list(_IMPORTED))


def run(
    args: Sequence[str], *, stdin: str, env: Mapping[str, str], cwd: Path
) -> subprocess.CompletedProcess[str]:
    """`turngraph ARGS`, run to its end, which must come within a minute."""
    with (
        tempfile.TemporaryFile("w+") as given,
        tempfile.TemporaryFile("w+") as out,
        tempfile.TemporaryFile("w+") as err,
    ):
        given.write(stdin)
        given.seek(0)
        streams = [DupFd(file.fileno()) for file in (given, out, err)]
        process = _processes.Process(target=_command, args=(args, dict(env), cwd, streams))
        process.start()
        process.join(60)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(["turngraph", *args], 60)
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(
            ["turngraph", *args], process.exitcode, out.read(), err.read()
        )


def _command(
    args: Sequence[str], env: Mapping[str, str], cwd: Path, streams: Sequence[Any]
) -> NoReturn:
    """What the script `turngraph` does, in the forked process."""
    from turngraph.interfaces.cli.app import main

    missing = [name for name in _IMPORTED if name not in sys.modules]
    assert not missing, f"there is no {missing} to import beforehand"
    for number, stream in enumerate(streams):
        os.dup2(stream.detach(), number)
    sys.stdin = os.fdopen(0, closefd=False)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    warnings.simplefilter("error")
    sys.argv = ["turngraph", *args]
    sys.path[:] = [folder for folder in sys.path if Path(folder or ".").resolve() != ROOT]
    main()
    raise AssertionError("the command line exits by itself")
