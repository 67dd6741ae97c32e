"""A studio on a loopback port, with graphs of every kind in a file of its own."""

import http.client
import json
import secrets
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from langgraph.checkpoint.memory import InMemorySaver

from turngraph.billing import Ledger
from turngraph.interfaces.cli.threads import with_history
from turngraph.interfaces.studio.catalog import GraphFiles
from turngraph.interfaces.studio.server import StudioServer
from turngraph.scripted import Fail, Hang
from turngraph.scripted.received import ReceivedRequest
from turngraph.scripted.script import Step

AGENT = '''
import asyncio
import operator
from dataclasses import dataclass
from typing import Annotated, TypedDict

from langchain.agents import create_agent
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import Send, interrupt

from turngraph import Budget, ProviderConfig, TurnLimits, chat_turn
from turngraph.providers.timeouts import Timeouts

saver = InMemorySaver()


@tool
def weather(city: str) -> str:
    """The weather in a city."""
    return f"{city}: rain"


model = ProviderConfig(
    vendor="openai", model="gpt-4o-mini", base_url="BASE_URL", api_key="sk-planted-4711", api="chat"
)
@tool
def dive() -> str:
    """Dives to a sunken city."""
    raise RuntimeError("it sank")


turn = chat_turn(model, tools=[weather], checkpointer=saver, stream=True)
approved = chat_turn(model, tools=[weather], approve=True)
diver = chat_turn(model, tools=[dive])
troubled_model = model.model_copy(
    update={"base_url": "TROUBLED_URL", "timeouts": Timeouts(first_byte_s=0.5, idle_s=0.5)}
)
refused = chat_turn(troubled_model)
silent = chat_turn(troubled_model, limits=TurnLimits(attempts=1))
poor = chat_turn(model, ledger="sqlite://", budget=Budget(usd="0.0000001"))


class Words(TypedDict, total=False):
    words: list[str]
    shouted: Annotated[list[str], operator.add]
    count: int


class Word(TypedDict, total=False):
    word: str
    shouted: Annotated[list[str], operator.add]


def shout(state: Word) -> Word:
    return {"shouted": [state["word"].upper() + "!"]}


inner = StateGraph(Word).add_node("shout", shout).add_edge(START, "shout").compile()
builder = StateGraph(Words)
builder.add_node("each", inner)
builder.add_node("count", lambda state: {"count": len(state["shouted"])})
builder.add_conditional_edges(
    START, lambda state: [Send("each", {"word": word}) for word in state["words"]], ["each"]
)
builder.add_edge("each", "count")
plain = builder.compile()

chat = ChatOpenAI(model="gpt-4o-mini", base_url="BASE_URL", api_key="none", streaming=True)
agent = create_agent(chat, tools=[weather])


async def sleep(state):
    await asyncio.sleep(60)


slow = StateGraph(Words).add_node("sleep", sleep).add_edge(START, "sleep").compile()


def ask(state):
    return {"words": [interrupt("Which color?")]}


@dataclass
class Person:
    name: str
    times: int = 1


def greet(state, runtime: Runtime[Person]):
    return {"words": [f"Hello, {runtime.context.name}!"] * runtime.context.times}


greeting = StateGraph(Words, Person).add_node("greet", greet).add_edge(START, "greet").compile()
asking = StateGraph(Words).add_node("ask", ask).add_edge(START, "ask").compile()
'''
NAMES = (
    *("turn", "approved", "diver", "refused", "silent", "poor", "plain", "agent", "slow"),
    *("asking", "greeting"),
)


def trouble(request: ReceivedRequest) -> Step:
    """Fails in the way that the last message asks for."""
    return TROUBLES[request.body["messages"][-1]["content"]]


TROUBLES: Mapping[str, Step] = {
    "Refuse me.": Fail(401),
    "Keep silent.": Hang(3),
    "Be busy.": Fail(503, headers={"Retry-After": "60"}),
}


@dataclass(frozen=True)
class Studio:
    """A running studio."""

    server: StudioServer
    folder: Path

    @property
    def port(self) -> int:
        return int(self.server.url.partition("127.0.0.1:")[2].partition("/")[0])

    @property
    def token(self) -> str:
        return self.server.url.partition("token=")[2]

    @property
    def cookie(self) -> str:
        return f"turngraph-studio-{self.port}={self.token}"

    def send(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, str, Mapping[str, str]]:
        """Sends a request exactly as it is given; returns status, text and headers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        given = {"Content-Type": "application/json", **(headers or {})}
        content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        try:
            connection.request(method, path, content, given)
            answer = connection.getresponse()
            return answer.status, answer.read().decode(), dict(answer.getheaders())
        finally:
            connection.close()

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Sends a request with the cookie and returns the JSON of the answer."""
        status, text, _ = self.send(method, path, body, {"Cookie": self.cookie})
        assert status < 300, text
        return json.loads(text) if text else None


def write_agent(
    folder: Path, base_url: str, name: str = "", troubled_url: str = "http://127.0.0.1:9/v1"
) -> str:
    """Writes the graphs into a file, whose name no other test may have; returns the name.

    The model at `troubled_url` is asked by the graphs `refused` and `silent` alone.
    """
    name = name or f"agent_{secrets.token_hex(4)}.py"
    text = AGENT.replace("BASE_URL", base_url).replace("TROUBLED_URL", troubled_url)
    (folder / name).write_text(text)
    return name


@contextmanager
def running(folder: Path, references: list[str], ledger: Ledger | None = None) -> Iterator[Studio]:
    """Runs a studio of the graphs in `folder` on another thread."""
    history = InMemorySaver()
    files = GraphFiles(
        references, folder, {}, lambda loaded: with_history(loaded.graph, history, loaded.owner)
    )
    with StudioServer(files, ledger) as server:
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        try:
            yield Studio(server, folder)
        finally:
            server.stop()
            thread.join(60)
            assert not thread.is_alive()
