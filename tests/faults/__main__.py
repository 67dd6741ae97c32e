"""`make faults`: every fault of the table, in eight forms; and the table for the documentation.

python -m tests.faults                  everything
python -m tests.faults --only gzip      the faults with "gzip" in their names
python -m tests.faults --sample 12      every twelfth case
python -m tests.faults --table          the table of docs/reliability.md, and nothing is run
"""

import argparse
import os
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

os.environ.setdefault("LANGGRAPH_STRICT_MSGPACK", "true")

from rich.console import Console
from rich.progress import Progress

from tests.faults.fault import FORMS
from tests.faults.run import Case, places, play, verdict
from tests.faults.script import Script
from tests.faults.server import fault_server
from tests.faults.table import FAULTS, markdown
from turngraph.providers.wire.loop_thread import LOOP_THREAD

AT_ONCE = 24


def cases() -> list[Case]:
    """Every fault in every form."""
    pairs = [(fault, form) for fault in FAULTS for form in FORMS]
    return [Case(number, fault, form) for number, (fault, form) in enumerate(pairs)]


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--only", default="", help="faults with this in their name or form")
    options.add_argument("--sample", type=int, default=1, help="one case in so many")
    options.add_argument("--table", action="store_true", help="print the table, and run nothing")
    given = options.parse_args()
    if given.table:
        print(markdown(FAULTS))
        return 0
    chosen = [case for case in cases() if given.only.casefold() in case.name.casefold()]
    return run(chosen[:: given.sample])


def run(chosen: Sequence[Case]) -> int:
    """Plays the cases, tells what is wrong, and returns 0 if nothing is."""
    by_number = {case.number: case for case in chosen}

    def scripts(number: int) -> Sequence[Script]:
        case = by_number[number]
        return case.fault.scripts(case.form)

    started, failed = time.monotonic(), 0
    threads_before = set(threading.enumerate())
    with (
        tempfile.TemporaryDirectory(prefix="tg-faults-") as folder,
        fault_server(scripts) as server,
        places(server.port) as urls,
        ThreadPoolExecutor(AT_ONCE) as pool,
        Progress(console=Console(stderr=True), transient=True) as bar,
    ):
        task = bar.add_task("faults", total=len(chosen))
        # The slow ones first, so that they do not stand alone at the end.
        order = sorted(chosen, key=lambda case: case.fault.patience_s)
        playing = {pool.submit(play, case, urls, server.requests, folder): case for case in order}
        for done in as_completed(playing):
            case = playing[done]
            error = done.exception()
            if error is None:
                wrong = verdict(case.fault.expected(case.form), done.result())
            else:
                wrong = [f"raised {type(error).__module__}.{type(error).__name__}: {error}"]
            if wrong:
                failed += 1
                bar.console.print(
                    f"FAILED {case.name}: {'; '.join(wrong)}", markup=False, soft_wrap=True
                )
            bar.advance(task)
    seconds = time.monotonic() - started
    lost = threads_left(threads_before)
    if lost:
        print(f"threads are left: {', '.join(lost)}")
    print(f"{len(chosen) - failed} passed, {failed} failed, {seconds:.0f} s")
    return 1 if failed or lost else 0


def threads_left(before: set[threading.Thread]) -> list[str]:
    """The names of the threads that still run, ten seconds after everything was closed."""
    LOOP_THREAD.stop()
    ends_at = time.monotonic() + 10
    while True:
        # Idle threads of tools are kept for the next call, for a while.
        names = [thread.name for thread in threading.enumerate() if thread not in before]
        left = [name for name in names if name != "turngraph-tool"]
        if not left or time.monotonic() > ends_at:
            return left
        time.sleep(0.1)


if __name__ == "__main__":
    raise SystemExit(main())
