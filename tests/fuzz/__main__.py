"""`make fuzz`: anything at all into a turn's entry points. Only named errors may come out.

python -m tests.fuzz                          20,000 examples
python -m tests.fuzz --examples 500           what the test suite runs
python -m tests.fuzz --seed 7 --target invoke   repeats one target of a run
"""

import argparse
import faulthandler
import os
import threading
import time
import traceback
import warnings

os.environ.setdefault("LANGGRAPH_STRICT_MSGPACK", "true")

from hypothesis import HealthCheck, Phase, given, seed, settings
from rich.console import Console
from rich.progress import Progress

from tests.fuzz.targets import Target, targets

LONGEST_S = 120
"""One example that takes longer hangs: the stacks of all threads are printed, and the run ends."""


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--examples", type=int, default=20_000)
    options.add_argument("--seed", type=int, default=int(time.time()))
    options.add_argument("--target", default="", help="only those with this in their name")
    wanted = options.parse_args()
    print(f"seed {wanted.seed}", flush=True)
    before, failed, done = set(threading.enumerate()), 0, 0
    with targets() as found, Progress(console=Console(stderr=True), transient=True) as bar:
        chosen = [target for target in found if wanted.target in target.name]
        share = -(-wanted.examples // len(chosen))
        task = bar.add_task("fuzz", total=share * len(chosen))
        for target in chosen:
            tried, error = try_target(target, share, wanted.seed, lambda: bar.advance(task))
            done += tried
            if error is not None:
                failed += 1
                text = "".join(traceback.format_exception(error))
                bar.console.print(f"FAILED {target.name}\n{text}", markup=False, soft_wrap=True)
    left = threads_left(before)
    print(f"{done} examples, {failed} targets failed, {len(left)} threads left: {left}")
    return 1 if failed or left else 0


def try_target(
    target: Target, examples: int, number: int, advance: object
) -> tuple[int, Exception | None]:
    """Tries one target, and returns how many examples there were, and the error of the simplest."""
    tried = 0

    @seed(number)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )
    @given(target.values)
    def once(value: object) -> None:
        nonlocal tried
        tried += 1
        advance()  # type: ignore[operator]
        faulthandler.dump_traceback_later(LONGEST_S, exit=True)
        try:
            target.call(value)
        finally:
            faulthandler.cancel_dump_traceback_later()

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            once()
    except Exception as exc:
        return tried, exc
    return tried, None


def threads_left(before: set[threading.Thread]) -> list[str]:
    """The names of threads that were not there before, beside those that are kept for later."""
    kept = ("turngraph-", "asyncio_")
    ends_at = time.monotonic() + 10
    while True:
        left = [one.name for one in threading.enumerate() if one not in before]
        left = [name for name in left if not name.startswith(kept)]
        if not left or time.monotonic() > ends_at:
            return left
        time.sleep(0.1)


if __name__ == "__main__":
    raise SystemExit(main())
