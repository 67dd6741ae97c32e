"""Serves recorded answers on a loopback socket, reads them through the provider, and compares.

    python -m tests.replay [DIR] [--turns] [--only ID] [--json FILE]

Each answer is read as it was recorded, and once more in another framing (`FRAMINGS`, in turn). With
`--turns`, the recorded tool loops run as whole turns through the graph instead. Prints the
differences, and `N passed, N failed` as the last line. The exit code is 0 only if nothing failed.
"""

import argparse
import asyncio
import json
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from tests.replay.compare import Reading, differences
from tests.replay.kept import kept_in
from tests.replay.loops import threads_of
from tests.replay.oracle import answer_in
from tests.replay.recordings import FRAMINGS, Recording, load
from tests.replay.server import serving
from tests.replay.turns import replayed_turns
from turngraph.providers.config import ProviderConfig
from turngraph.providers.openai_provider import OpenAIProvider
from turngraph.providers.vendors.profiles import VENDORS
from turngraph.state.errors import ProviderError
from turngraph.state.reply import StreamChunk

EXCEPTIONS = Path(__file__).with_name("exceptions.toml")
RECORDED = Path("../shared/recorded")
USAGE = "`make replay DIR=folder`"
KEY = "sk-replayed-recording"
Outcome = tuple[Recording, list[str]]


class Replay:
    """Reads recordings through providers."""

    def __init__(self, base_url: str, runner: asyncio.Runner) -> None:
        self._base_url, self._runner = base_url, runner
        self.provider = cache(self._provider)

    def differences(self, recording: Recording, framing: str, *, on_loop: bool) -> list[str]:
        """The differences in one recording, sent in `framing`."""
        chunks: list[StreamChunk] = []
        try:
            said, kept = answer_in(recording), kept_in(recording)
        except Exception as error:
            return [f"the oracle cannot read it: {error!r}"]
        told = None if recording["response"].get("sse") is None else chunks
        try:
            read = self._read(recording, chunks, framing, on_loop=on_loop)
        except ProviderError as error:
            return differences(said, error, told)
        except Exception as error:
            return [f"raised: {error!r}"]
        return differences(said, read, told, kept)

    def _read(
        self, recording: Recording, chunks: list[StreamChunk], framing: str, *, on_loop: bool
    ) -> Reading:
        provider = self.provider(recording["vendor"], recording["api"])
        body = (recording.get("request") or {}).get("body") or {"model": "recorded"}
        options: dict[str, Any] = {
            "stream": recording["streaming"],
            "client_request_id": f"{recording['id']} {framing}".rstrip(),
        }
        if on_loop:
            return self._runner.run(provider.asend(body, on_chunk=chunks.append, **options))
        return provider.send(body, on_chunk=chunks.append, **options)

    def _provider(self, vendor: str, api: Any) -> OpenAIProvider:
        known = vendor if vendor in VENDORS else "custom"
        return OpenAIProvider(
            ProviderConfig(
                vendor=known, base_url=self._base_url, api_key=KEY, model="recorded", api=api
            )
        )


def replayed(recordings: list[Recording], console: Console) -> Iterator[Outcome]:
    """Each recording with its differences. Sync and async code read every second one of each
    framing.
    """
    by_id = {recording["id"]: recording for recording in recordings}
    with (
        serving(by_id) as base_url,
        asyncio.Runner() as runner,
        Progress(console=console, transient=True) as progress,
    ):
        replay = Replay(base_url, runner)
        for number, recording in enumerate(progress.track(recordings, description="replaying")):
            framing, on_loop = FRAMINGS[number % len(FRAMINGS)], number % 2 == 1
            found = replay.differences(recording, "", on_loop=on_loop)
            again = replay.differences(recording, framing, on_loop=not on_loop)
            new = [f"{line} (sent as `{framing}`)" for line in again if line not in found]
            yield recording, found + new


def replayed_loops(recordings: list[Recording], console: Console) -> Iterator[Outcome]:
    """The last recording of each thread of turns, with the differences in the thread."""
    by_id = {recording["id"]: recording for recording in recordings}
    threads = list(threads_of(recordings))
    with Progress(console=console, transient=True) as progress:
        for thread, found in progress.track(
            replayed_turns(threads), total=len(threads), description="replaying"
        ):
            yield by_id[thread.id], found


def main() -> int:
    """Runs the command and returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.replay", description=__doc__)
    parser.add_argument(
        "folder",
        type=Path,
        metavar="DIR",
        nargs="?",
        default=RECORDED,
        help="recordings, `*.jsonl.gz`",
    )
    parser.add_argument(
        "--turns", action="store_true", help="run the tool loops as whole turns through the graph"
    )
    parser.add_argument(
        "--every", type=int, default=1, metavar="N", help="only one recording in so many"
    )
    parser.add_argument("--only", metavar="ID", help="the recording or cassette of this id alone")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what failed to this file")
    options = parser.parse_args()
    recordings = load(options.folder)[:: options.every]
    if options.only is not None:
        recordings = [r for r in recordings if options.only in (r["id"], r["sequence"]["cassette"])]
    if not recordings:
        name = "" if options.only is None else f" called `{options.only}`"
        print(f"No recordings in `{options.folder}`{name}. Give a folder that holds some: {USAGE}.")
        return 2
    replay, table = (replayed_loops, "turns") if options.turns else (replayed, "exceptions")
    outcomes = list(replay(recordings, Console(stderr=True)))
    failed = {recording["id"]: found for recording, found in outcomes if found}
    exceptions = tomllib.loads(EXCEPTIONS.read_text())[table]
    return report([recording for recording, _ in outcomes], failed, exceptions, options.json)


def report(
    recordings: list[Recording],
    found: dict[str, list[str]],
    exceptions: dict[str, str],
    file: Path | None = None,
) -> int:
    """Prints the differences by id, and the outcome. Returns the exit code."""
    known = {recording["id"]: recording for recording in recordings}
    excepted = {
        id_: reason for id_, reason in exceptions.items() if id_ in found and may_differ(found[id_])
    }
    failed = {id_: lines for id_, lines in found.items() if id_ not in excepted}
    for id_ in sorted(exceptions.keys() & (known.keys() - found.keys())):
        failed[id_] = [f"this exception is not needed: {exceptions[id_]}"]
    for id_, lines in failed.items():
        print(f"FAILED {id_} ({known[id_]['vendor']}, {known[id_]['api']})")
        print("".join(f"    {line}\n" for line in lines), end="")
    if file is not None:
        file.write_text(json.dumps({"failed": failed, "excepted": excepted}, indent=2) + "\n")
    if excepted:
        print(f"{len(excepted)} excepted, with their reasons in {EXCEPTIONS.name}")
    print(f"{len(recordings) - len(failed) - len(excepted)} passed, {len(failed)} failed")
    return 1 if failed else 0


def may_differ(found: list[str]) -> bool:
    """Whether an exception covers the differences: never an error other than ProviderError."""
    return not any(line.startswith("raised: ") for line in found)


if __name__ == "__main__":
    sys.exit(main())
