"""A graph of the user's own is paid for by whoever asked, wherever its models are called."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.interfaces.server.serving import Vendor, client, config_of, serving
from turngraph.billing.budget import Budget
from turngraph.billing.ledger import Ledger
from turngraph.interfaces.cli.app import run_command
from turngraph.interfaces.server.config import ModelConfig, ServerConfig, StoreSettings
from turngraph.scripted import Fail, Say

NAMES = ("as_node", "called", "langchain")
GRAPH = """
import os
import httpx2
from langchain_core.messages import AIMessage
from langchain_openai import ChatOpenAI
from langgraph.graph import END, START, MessagesState, StateGraph
from turngraph import Ledger, LedgerCallback, MeteringConfig, ProviderConfig, chat_turn
from turngraph.billing.pricing.prices import Prices
from turngraph.graphs.arguments import prices_from

ledger = Ledger(os.environ["DATABASE"])
prices = {"custom:m": {"input": "1", "output": "1"}, "openai:m": {"input": "1", "output": "1"}}
turn = chat_turn(
    ProviderConfig(base_url=os.environ["VENDOR"], model="m", proxy="", max_tokens=100),
    ledger=ledger, prices=prices,
)
metered = LedgerCallback(MeteringConfig(ledger, prices_from(prices)))
async def inside(state: MessagesState):
    result = await turn.ainvoke({"messages": state["messages"]}, {"configurable": {"x": 1}})
    return {"messages": result["messages"][len(state["messages"]):]}

async def plain(state: MessagesState):
    async with httpx2.AsyncClient() as http:
        model = ChatOpenAI(
            base_url=os.environ["VENDOR"], api_key="k", model="m", max_tokens=100, max_retries=0,
            http_async_client=http,
        )
        return {"messages": [await model.ainvoke(state["messages"], {"callbacks": [metered]})]}

def graph(node):
    return StateGraph(MessagesState).add_node("node", node).add_edge(START, "node").compile()

as_node, called, langchain = graph(turn), graph(inside), graph(plain)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("graphs")


@pytest.fixture(scope="module")
def ledger(folder: Path) -> Iterator[Ledger]:
    with Ledger(f"sqlite:///{folder}/turns.db") as opened:
        opened.set_budget(Budget(usd="0.01", per="account"))
        opened.set_budget(Budget(usd="0.000001", per="account", of="poor"))
        yield opened


@pytest.fixture(scope="module")
def url(vendor: Vendor, folder: Path, ledger: Ledger) -> Iterator[str]:
    (folder / "paid_graphs.py").write_text(GRAPH)
    models = {name: ModelConfig(graph=f"paid_graphs.py:{name}") for name in NAMES}
    store = StoreSettings(database=ledger.store.url)
    config = ServerConfig(server=config_of(models).server, models=models, store=store)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VENDOR", vendor.base_url)
        patch.setenv("DATABASE", ledger.store.url)
        with serving(config, folder=folder) as served:
            yield served


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("stream", [False, True], ids=["json", "sse"])
def test_the_account_of_a_request_pays_for_the_whole_graph(
    url: str, vendor: Vendor, ledger: Ledger, name: str, stream: bool
) -> None:
    """Its charges and the budget that holds for it are its own, and those of its key."""
    body: Any = {"model": name, "messages": [{"role": "user", "content": "?"}]}
    accounts = [f"{name}-{stream}-{n}" for n in "ab"]
    for account in accounts:
        vendor.play(Say("Here."))
        if stream:
            with client(url, account).chat.completions.stream(**body) as events:
                answer: Any = events.get_final_completion()
        else:
            answer = client(url, account).chat.completions.create(**body)
        assert answer.choices[0].message.content == "Here."
    spent = {each.value for each in ledger.spending("account")}
    assert set(accounts) <= spent
    assert "" not in spent
    assert f"k-{len(account)}" in {each.value for each in ledger.spending("api_key_id")}


FREE_AND_PAID = """
from langgraph.graph import START, MessagesState, StateGraph
from turngraph import Ledger, chat_turn

free = chat_turn("scripted")
paid = chat_turn("scripted", ledger=Ledger("sqlite://"))
free_inside, paid_inside = (
    StateGraph(MessagesState).add_node("turn", turn).add_edge(START, "turn").compile()
    for turn in (free, paid)
)
"""


def test_check_warns_of_turns_that_nobody_pays_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether a graph is the turn or has it as a node."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "some_graphs.py").write_text(FREE_AND_PAID)
    models = (
        f'[models.{name}]\ngraph = "some_graphs.py:{name}"\n'
        for name in ("free", "free_inside", "paid", "paid_inside")
    )
    (tmp_path / "turngraph.toml").write_text("".join(models))
    assert run_command(["serve", "--check"]) == 0
    _, *warnings = capsys.readouterr().out.splitlines()
    assert [each.partition(" has a turn without a ledger")[0] for each in warnings] == [
        "Warning: Graph `some_graphs.py:free`",
        "Warning: Graph `some_graphs.py:free_inside`",
    ]


@pytest.mark.parametrize("name", NAMES)
def test_a_spent_budget_ends_a_request_to_a_graph(url: str, vendor: Vendor, name: str) -> None:
    """With the status that it has for a turn, in place of an empty answer; nobody is asked."""
    before = vendor.play(Say("Unpaid."))
    with pytest.raises(openai.APIStatusError) as caught:
        client(url, "poor").chat.completions.create(
            model=name, messages=[{"role": "user", "content": "?"}]
        )
    assert caught.value.status_code == 402
    assert len(vendor.requests) == before


def test_a_vendors_error_inside_a_graph_has_its_status(url: str, vendor: Vendor) -> None:
    """Where the graph itself says nothing else."""
    vendor.play(Fail(400))
    with pytest.raises(openai.BadRequestError):
        client(url).chat.completions.create(
            model="as_node", messages=[{"role": "user", "content": "?"}]
        )
