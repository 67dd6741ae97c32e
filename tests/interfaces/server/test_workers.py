"""`turngraph serve --workers`: signals reach all processes, and one that dies is replaced."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import httpx2
import pytest

from tests.interfaces.server.serving import Vendor
from tests.interfaces.server.test_command import COMMAND, free_port, names, stream_from, until_up
from turngraph.interfaces.server.metrics import MULTIPROCESS, forget_process
from turngraph.interfaces.server.workers import MOST_FAILURES
from turngraph.scripted import Say

DYING = """
import os, sys

if any("spawn_main" in each for each in sys.orig_argv):
    os._exit(9)
"""
"""Ends each worker before it has imported anything."""


def until(condition: Callable[[], bool], what: str) -> None:
    ends_at = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < ends_at, what
        time.sleep(0.05)


def children_of(pid: int) -> list[int]:
    """The worker processes; the one that cleans up for `multiprocessing` is left out."""
    found = map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
    return [each for each in found if b"spawn_main" in Path(f"/proc/{each}/cmdline").read_bytes()]


def is_running(pid: int) -> bool:
    try:
        return ") Z" not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


def turns_running(url: str) -> float:
    """As a worker tells Prometheus, on a new connection."""
    told = httpx2.get(f"{url}/metrics", timeout=60).text
    return float(told.partition("\nturngraph_turns_running ")[2].split()[0])


def test_a_worker_that_has_died_runs_nothing_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the files of its metrics, those go that are no totals."""
    kept, gone = tmp_path / "counter_7.db", tmp_path / "gauge_livesum_7.db"
    for file in (kept, gone, tmp_path / "gauge_livesum_8.db"):
        file.touch()
    monkeypatch.setenv(MULTIPROCESS, str(tmp_path))
    forget_process(7)
    assert (kept.exists(), gone.exists(), len([*tmp_path.iterdir()])) == (True, False, 2)


def test_workers_reload_are_replaced_drain_and_end(tmp_path: Path) -> None:
    """A SIGTERM that all processes get at once, as from systemd, is one: streams go on. The second
    one, to the process that was started, ends all of them.
    """
    with Vendor(delay_s=0.03) as vendor, (tmp_path / "log").open("wb") as log:
        file, port = tmp_path / "turngraph.toml", free_port()
        text = (
            f'[server]\nworkers = 2\n[store]\ndatabase = "sqlite:///{tmp_path}/turns.db"\n[models.NAME]\n'
            f'model = "m"\nprovider = {{base_url = "{vendor.base_url}", proxy = ""}}\n'
        )
        file.write_text(text.replace("NAME", "old"))
        command = [COMMAND, "serve", str(file), "--port", str(port)]
        process = subprocess.Popen(command, stderr=log, start_new_session=True)

        def logged(message: str) -> int:
            return (tmp_path / "log").read_text().count(f'"{message}"')

        url = f"http://127.0.0.1:{port}"
        until_up(url, process)
        until(lambda: logged("Application startup complete.") == 2, "two workers serve")
        later = "queue = 9\ndrain_seconds = 45\n[store]"
        file.write_text(text.replace("NAME", "new").replace("[store]", later))
        process.send_signal(signal.SIGHUP)
        until(lambda: logged("The configuration was read again") == 2, "both have read it")
        assert logged("Changed, but not before the next start: server.queue") == 2
        changed = file.read_text()
        for content, reloads, notes in ((text.replace("NAME", "new"), 4, 2), (changed, 6, 4)):
            # What is as it was at the start waits for nothing.
            file.write_text(content)
            process.send_signal(signal.SIGHUP)
            until(
                partial(lambda n: logged("The configuration was read again") == n, reloads),
                "both have read it",
            )
            assert logged("Changed, but not before the next start: server.queue") == notes
        before = children_of(process.pid)
        os.kill(before[0], signal.SIGKILL)
        until(lambda: logged("Application startup complete.") == 3, "the dead one is replaced")
        workers = children_of(process.pid)
        assert (len(workers), before[1] in workers, before[0] in workers) == (2, True, False)
        assert {*names(url), *names(url), *names(url)} == {"new"}
        vendor.play(Say("word " * 60), Say("word " * 9_000))
        with stream_from(url, "new") as short, stream_from(url, "new") as long:
            endless = long.iter_lines()
            assert next(endless)
            # Whichever of the two answers: it knows what the other one runs.
            assert all(1 <= turns_running(url) <= 2 for _ in range(6))
            os.killpg(process.pid, signal.SIGTERM)
            until(lambda: logged("All workers are told to stop") == 1, "the first signal is seen")
            assert "data: [DONE]" in list(short.iter_lines())[-2:]
            assert any(endless)
            assert process.poll() is None
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
        assert not any(map(is_running, workers))


def test_a_server_whose_workers_die_at_start_ends_with_a_sentence(tmp_path: Path) -> None:
    """It tries a bounded number of times, with pauses; whoever watches it sees that it failed."""
    (tmp_path / "sitecustomize.py").write_text(DYING)
    database = f"sqlite:///{tmp_path}/turns.db"
    options = ["--workers", "2", "--port", "0", "--database", database]
    ended = subprocess.run(
        [COMMAND, "serve", *options],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    last = ended.stderr.splitlines()[-1]
    assert ended.returncode == 2
    assert last.startswith(f"turngraph: {MOST_FAILURES} workers in a row could not start")
    assert last.endswith("exit code 9")
