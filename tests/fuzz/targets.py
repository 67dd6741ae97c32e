"""The targets of the fuzzer: the entry points of a turn, and what reads files from outside."""

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import strategies as st
from langgraph.checkpoint.memory import InMemorySaver

from tests.fuzz.inputs import anything, damaged, inputs, requests
from tests.paths import GALLERY
from turngraph.graphs import TurnGraph, chat_turn
from turngraph.interfaces import ahandler, handler
from turngraph.interfaces.stepper.engine.recording import Recorder
from turngraph.interfaces.stepper.engine.replay import replay_cassette
from turngraph.providers import OpenAIProvider, ProviderConfig
from turngraph.scripted import Call, Say, ScriptedModel
from turngraph.state.errors import TurngraphError
from turngraph.tools.manifests.loading import load_manifests
from turngraph.tools.manifests.yaml_text import read_documents

__all__ = ["Target", "targets"]

MANIFESTS = [
    [document.value for document in read_documents(file.read_text())]
    for file in sorted(GALLERY.glob("*.yaml"))
]


@dataclass(frozen=True)
class Target:
    """What is called, and the values that it is called with.

    `call` raises whatever is no TurngraphError.
    """

    name: str
    values: st.SearchStrategy[Any]
    call: Callable[[Any], None]


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@contextmanager
def targets() -> Iterator[list[Target]]:
    """Yields all targets. They share one scripted model."""
    with ScriptedModel() as model, TemporaryDirectory(prefix="tg-fuzz-") as folder:
        config = ProviderConfig(
            vendor="openai", model="gpt-4o-mini", base_url=model.base_url, api_key="k"
        )
        providers = [OpenAIProvider(config.replaced(api=api)) for api in ("chat", "responses")]
        turns = [
            chat_turn(provider, tools=[add], stream=stream, checkpointer=saver)
            for provider, stream, saver in [
                (providers[0], False, None),
                (providers[1], True, InMemorySaver()),
            ]
        ]
        recording = _recorded(Path(folder))
        yield [
            Target("invoke", inputs, lambda given: _invoke(turns, given)),
            Target("ainvoke", inputs, lambda given: asyncio.run(_ainvoke(turns, given))),
            Target("handler", requests, lambda given: _handle(turns, given)),
            Target("ahandler", requests, lambda given: asyncio.run(_ahandle(turns, given))),
            Target(
                "manifests",
                st.sampled_from(MANIFESTS).flatmap(lambda one: damaged(lambda: one)) | anything,
                _load,
            ),
            Target(
                "recordings",
                damaged(lambda: recording),
                lambda given: _replay(Path(folder) / "fuzzed.jsonl", given),
            ),
        ]
        for provider in providers:
            provider.close()


def _config(turn: TurnGraph, given: object) -> Any:
    # One thread for all: what one example left there must not harm the next.
    return {"configurable": {"thread_id": "t"}} if turn.checkpointer else None


def _invoke(turns: list[TurnGraph], given: Any) -> None:
    for turn in turns:
        try:
            turn.invoke(given, _config(turn, given))
        except TurngraphError:
            continue


async def _ainvoke(turns: list[TurnGraph], given: Any) -> None:
    for turn in turns:
        try:
            await turn.ainvoke(given, _config(turn, given))
        except TurngraphError:
            continue


def _handle(turns: list[TurnGraph], given: Any) -> None:
    for turn in turns:
        _check_reply(handler(turn, given))


async def _ahandle(turns: list[TurnGraph], given: Any) -> None:
    for turn in turns:
        _check_reply(await ahandler(turn, given))


def _check_reply(reply: Mapping[str, Any]) -> None:
    """It raises nothing, and answers JSON whatever it was asked."""
    assert 200 <= reply["statusCode"] < 600, reply
    json.loads(reply["body"])


def _load(documents: Any) -> None:
    text = "\n---\n".join(
        json.dumps(document, default=repr, skipkeys=True)
        for document in (documents if isinstance(documents, list) else [documents])
    )
    try:
        load_manifests(text + "\n")
    except TurngraphError:
        return


def _recorded(folder: Path) -> list[Any]:
    """The lines of a recorded turn, as JSON."""
    file = folder / "turn.jsonl"
    with ScriptedModel([Call(("add", {"a": 1, "b": 2})), Say("3.")]) as model:
        config = ProviderConfig(vendor="custom", model="m", base_url=model.base_url)
        with Recorder(config, file) as recorder:
            chat_turn(recorder.recorded, tools=[add]).run("1 + 2?")
    return [json.loads(line) for line in file.read_text().splitlines()]


def _replay(file: Path, lines: Any) -> None:
    parts = lines if isinstance(lines, list) else [lines]
    text = "\n".join(json.dumps(line, default=repr, skipkeys=True) for line in parts)
    file.write_text(text)
    try:
        replay_cassette(file)
    except TurngraphError:
        return
