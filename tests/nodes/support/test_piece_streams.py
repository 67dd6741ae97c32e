"""The pieces of an answer in LangGraph's streams: cheap, whole, and in their order."""

import asyncio
import collections
from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.messages import AIMessageChunk
from langgraph.config import get_stream_writer
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.pregel._messages import StreamMessagesHandler

from tests.turns import ask
from turngraph import ProviderConfig, ScriptedModel, chat_turn
from turngraph.graphs import TurnGraph
from turngraph.nodes.support.piece_streams import InOrder
from turngraph.scripted import Call, Say
from turngraph.state.events import ResponseReceived, Token

WORDS = " ".join(f"word{n}" for n in range(400))


@pytest.fixture(name="turn")
def streamed_turn() -> Iterator[TurnGraph]:
    """A turn that calls a tool, which writes to the stream itself, and then says 400 words."""

    async def look(city: str) -> str:
        """Looks the weather up."""
        get_stream_writer()(f"looking at {city}")
        return "Sunny."

    with ScriptedModel([Call(("look", {"city": "Oslo"})), Say(WORDS)]) as model:
        config = ProviderConfig(base_url=model.base_url, model="m")
        yield chat_turn(config, tools=[look], stream=True)


def woken(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What the running event loop is given as from another thread, from now on."""
    calls: list[object] = []
    loop = asyncio.get_running_loop()
    own = loop.call_soon_threadsafe

    def counted(callback: Any, *args: Any, **options: Any) -> Any:
        calls.append(args)
        return own(callback, *args, **options)

    monkeypatch.setattr(loop, "call_soon_threadsafe", counted)
    return calls


@pytest.mark.parametrize("mode", ["custom", "messages"])
async def test_the_event_loop_is_not_woken_for_each_piece(
    mode: Any, turn: TurnGraph, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LangGraph would write a byte to a socket for each."""
    calls = woken(monkeypatch)
    parts = [part async for part in turn.astream(ask("Weather?"), stream_mode=mode)]
    pieces = [part for part in parts if isinstance(part, Token | tuple)]
    assert len(pieces) >= 400
    assert len(calls) < 200


async def test_a_langgraph_with_other_names_is_given_the_pieces_its_own_way(
    turn: TurnGraph, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is cheaper here reads names that are not public, and may be gone in any release."""
    built = StreamMessagesHandler.__init__

    def other(self: Any, *args: Any, **options: Any) -> None:
        built(self, *args, **options)
        self.seen = collections.Counter(self.seen)
        self.seen.add = self.seen.__getitem__

    monkeypatch.setattr(StreamMessagesHandler, "__init__", other)
    calls = woken(monkeypatch)
    parts = [part async for part in turn.astream(ask("Weather?"), stream_mode="messages")]
    assert len(parts) >= 400
    assert len(calls) >= 400


async def test_events_come_in_the_order_in_which_they_were_emitted(turn: TurnGraph) -> None:
    """Those of a tool among them, which go LangGraph's own way."""
    emitted: list[Any] = []
    turn_with = turn.with_config({"configurable": {"turn_listener": emitted.append}})
    parts = [part async for part in turn_with.astream(ask("Weather?"), stream_mode="custom")]
    written = parts.index("looking at Oslo")
    assert [part for part in parts if part != "looking at Oslo"] == emitted
    kinds = [getattr(part, "type", "") for part in parts]
    assert kinds.index("tool_requested") < written < kinds.index("tool_responded")
    assert kinds.index("tool_responded") < kinds.index("token")


async def test_a_parent_gets_the_pieces_with_what_came_around_them(turn: TurnGraph) -> None:
    """With the namespace of the turn, which is a node of it."""
    builder = StateGraph(MessagesState).add_node("chat", turn).add_edge(START, "chat")
    parent: Any = builder.compile()
    custom, messages = list[Any](), list[Any]()
    async for namespace, mode, piece in parent.astream(
        ask("Weather?"), stream_mode=["custom", "messages"], subgraphs=True
    ):
        assert namespace == () or namespace[0].startswith("chat:")
        (custom if mode == "custom" else messages).append(piece)
    places = [n for n, event in enumerate(custom) if isinstance(event, Token)]
    tokens = [custom[n].text for n in places]
    assert "".join(tokens) == WORDS
    assert places == list(range(places[0], places[0] + len(places)))
    assert isinstance(custom[places[-1] + 1], ResponseReceived)
    chunks = [(c.content, data) for c, data in messages if isinstance(c, AIMessageChunk)]
    assert [content for content, _ in chunks] == tokens
    assert {data["langgraph_node"] for _, data in chunks} == {"call_llm"}


async def test_no_piece_overtakes_what_was_sent_before_it() -> None:
    """What the loop was given before the first piece arrives before it, and the pieces in order."""
    loop, arrived = asyncio.get_running_loop(), list[str]()
    send = InOrder[str](
        loop, lambda piece: loop.call_soon_threadsafe(arrived.append, piece), arrived.append
    )
    loop.call_soon_threadsafe(arrived.append, "request sent")
    send("a")
    send("b")
    assert arrived == []
    await asyncio.sleep(0)
    send("c")
    assert arrived == ["request sent", "a", "b", "c"]
