"""What a request costs the server beside its answer: commits of the ledger, and nothing twice."""

import asyncio
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.commits import Commits
from tests.interfaces.server.serving import (
    PlainCallers,
    Vendor,
    client,
    config_of,
    model_config,
    running,
)
from turngraph.interfaces.server.app import create_app
from turngraph.interfaces.server.config import ServerConfig, StoreSettings
from turngraph.interfaces.server.event_stream import event_stream
from turngraph.interfaces.server.turn_runs import TurnRun
from turngraph.scripted import Call, Say
from turngraph.state.events import Token

INNER = """
from langchain_core.tools import tool
from turngraph import ProviderConfig, chat_turn

@tool
def ask_another(question: str) -> str:
    '''Asks another model.'''
    provider = ProviderConfig(base_url={base_url!r}, model="inner", proxy="")
    return chat_turn(provider, stream=True).run(question).answer
"""


def stored_in(folder: Path, vendor: Vendor, **fields: Any) -> ServerConfig:
    """A configuration with one model and a ledger in a file."""
    config = config_of({"assistant": model_config(vendor, **fields)})
    store = StoreSettings(database=f"sqlite:///{folder}/turns.db")
    return ServerConfig(server=config.server, store=store, models=config.models)


@pytest.mark.parametrize("stream", [False, True], ids=["json", "sse"])
@pytest.mark.parametrize("api", ["chat", "responses"])
def test_a_request_of_which_nothing_is_kept_commits_three_times(
    vendor: Vendor, tmp_path: Path, api: str, stream: bool
) -> None:
    """Admitted, held and sent; answered and charged; finished. Nobody else can know its turn."""
    app = create_app(stored_in(tmp_path, vendor), callers=PlainCallers())
    with running(app) as url:
        counts = []
        commits = Commits(app.state.service.store.ledger)
        for _ in range(2):
            vendor.play(Say("Hello there."))
            commits.count = commits.flushed = 0
            ask(url, api, stream)
            counts.append((commits.count, commits.flushed))
    assert counts[1] == (3, 2)


def ask(url: str, api: str, stream: bool) -> None:
    """Asks the model, and reads all of the answer."""
    asked: Any = client(url).chat.completions if api == "chat" else client(url).responses
    given: dict[str, Any] = {"messages": [{"role": "user", "content": "Hi"}]}
    if api == "responses":
        given = {"input": "Hi", "store": False}
    answer = asked.create(model="assistant", stream=stream, **given)
    if stream:
        list(answer)


def test_the_endpoints_of_nearly_all_requests_need_no_router(
    vendor: Vendor, tmp_path: Path
) -> None:
    """They are answered, and refused in OpenAI's shape, where the router knows no path at all."""
    app = create_app(stored_in(tmp_path, vendor), callers=PlainCallers())
    with running(app) as url:
        app.router.routes.clear()
        for api in ("chat", "responses"):
            for stream in (False, True):
                vendor.play(Say("Hello there."))
                ask(url, api, stream)
        for path in ("chat/completions", "responses"):
            address, headers = f"{url}/v1/{path}", {"authorization": "Bearer acme"}
            refused = [
                httpx2.post(address, json={"model": 7}, headers=headers),
                httpx2.post(address, json={}),
                httpx2.get(address, headers=headers),
            ]
            assert [each.status_code for each in refused] == [400, 401, 404]
            assert all(each.json()["error"]["message"] for each in refused)
            assert all("x-request-id" in each.headers for each in refused)


def test_a_turn_in_a_tool_in_a_thread_tells_the_stream_what_it_does(
    vendor: Vendor, tmp_path: Path
) -> None:
    """As a graph inside another one does in LangGraph's streams."""
    (tmp_path / "tool.py").write_text(INNER.format(base_url=vendor.base_url))
    config = stored_in(tmp_path, vendor, tools=("tool.py:ask_another",))
    app = create_app(config, callers=PlainCallers(), folder=tmp_path)
    vendor.play(Call(("ask_another", {"question": "Why?"})), Say("Because."), Say("It says so."))
    with running(app) as url:
        stream = client(url).chat.completions.create(
            model="assistant", messages=[{"role": "user", "content": "Hi"}], stream=True
        )
        said = [each.choices[0].delta.content for each in stream]
    assert "".join(filter(None, said)) == "Because.\n\nIt says so."


def test_events_that_are_there_at_once_are_sent_together_and_none_is_kept_waiting() -> None:
    """A vendor sends several pieces in one packet; each would be a packet of its own."""
    sent: list[bytes] = []

    async def stream() -> None:
        events: asyncio.Queue[Any] = asyncio.Queue()
        forever: Any = asyncio.create_task(asyncio.sleep(3600))
        run = TurnRun(forever, asyncio.Event(), asyncio.Event(), events)

        async def chunks() -> Any:
            async for together in run.events():
                yield [{"text": each.text} for each in together if isinstance(each, Token)]

        body: Any = event_stream(run, chunks(), {}, done="[DONE]").body_iterator
        for together in ("a", "bc", "d", ""):
            for text in together:
                events.put_nowait(Token(turn_id="t", kind="text", text=text))
            if not together:
                events.put_nowait(None)
            sent.append(await anext(body))
        assert [each async for each in body] == []
        forever.cancel()

    asyncio.run(asyncio.wait_for(stream(), 60))
    texts = [data.decode().replace("data: ", "").split() for data in sent]
    assert texts == [
        ['{"text":"a"}'],
        ['{"text":"b"}', '{"text":"c"}'],
        ['{"text":"d"}'],
        ["[DONE]"],
    ]
