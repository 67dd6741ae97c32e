"""What a user writes, with types: checked by mypy --strict and by pyright, and never run.

Each `assert_type` is a promise: an editor knows this type without a configuration.
"""

import asyncio
from collections.abc import Iterator
from decimal import Decimal
from typing import assert_type

from langchain_core.messages import AnyMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph

from turngraph import (
    Budget,
    BudgetExceededError,
    Charge,
    Ledger,
    PriceOverride,
    Prices,
    ProviderConfig,
    Retry,
    ScriptedModel,
    StageState,
    StageUpdate,
    TurnConfigurationError,
    TurnError,
    TurnGraph,
    TurngraphError,
    TurnLimits,
    TurnResult,
    TurnSettings,
    TurnStepper,
    Usage,
    chat_turn,
    end_turn,
    load_manifests,
)
from turngraph.billing import AttemptRow, Rates
from turngraph.providers import StreamChunk, TurngraphChatModel, explain_api
from turngraph.scripted import Call, Say
from turngraph.state import AnyEvent, Attempt, ToolRun


def stock(article: str) -> int:
    """How many of an article are in store."""
    return len(article)


async def weather(city: str) -> str:
    """The weather in a city."""
    return f"rain in {city}"


def build(ledger: Ledger) -> TurnGraph:
    """A turn with everything that `chat_turn` takes."""
    return chat_turn(
        "openai:gpt-5-mini",
        tools=[stock, weather],
        plugins=load_manifests("plugins"),
        functions=["calculator"],
        system="Answer briefly.",
        stream=True,
        limits=TurnLimits(calls=4, usd="0.05", seconds=60),
        prices=Prices(overrides=(PriceOverride(vendor="vllm", rates=Rates()),)),
        ledger=ledger,
        budget=Budget(usd="0.50"),
        retries={"stock": Retry(attempts=2, on=(ConnectionError,))},
        approve=["stock"],
        on_event=lambda event: print(event.model_dump_json()),
        checkpointer=InMemorySaver(),
    )


def listen(event: AnyEvent) -> None:
    """A listener: `type` narrows the event to one class."""
    if event.type == "charge_created":
        assert_type(event.charge, Charge)


def build_with_listener() -> TurnGraph:
    """A turn with this listener, and with prices for a model of its own."""
    return chat_turn("scripted", on_event=listen, prices={"vllm:*": {"input": 0.1}})


def chat_model() -> TurngraphChatModel:
    """The chat model takes `model`, as LangChain's do."""
    return TurngraphChatModel(vendor="ollama", model="llama3.2")


def bill(ledger: Ledger) -> Decimal:
    """The rows of a bill have typed columns."""
    rows = ledger.turn_bill("t").attempts
    assert_type(rows, tuple[AttemptRow, ...])
    return rows[0]["usd"]


def configure() -> ProviderConfig:
    """A model at an endpoint of one's own."""
    return ProviderConfig(base_url="http://localhost:8080/v1", model="llama3.2", temperature=0)


def moderate(state: StageState) -> StageUpdate | None:
    """A stage of the user's own."""
    if "password" in state["messages"][-1].text:
        return end_turn("I cannot help with that.")
    return None


async def allow_lamps(state: StageState) -> StageUpdate:
    """An async stage that drops tool calls."""
    calls = state["pending_tool_calls"]
    return {"pending_tool_calls": [call for call in calls if call.name == "stock"]}


def build_with_stages() -> TurnGraph:
    """A turn with stages; ledger and prices in their plain forms."""
    return chat_turn(
        "scripted",
        before_model=[moderate],
        before_tools=[allow_lamps],
        ledger="sqlite:///turns.db",
    )


def run(turn: TurnGraph) -> str:
    """A turn, and every field of its result that programs read."""
    settings = TurnSettings(temperature=0, account="acme", tags=("web",))
    result = turn.run("Hello!", thread="t1", settings=settings, turn_id="order-1")
    assert_type(result, TurnResult)
    assert_type(result.answer, str)
    assert_type(result.cost_usd, Decimal | None)
    assert_type(result.usage, Usage | None)
    if result.usage is not None:
        assert_type(result.usage.input_tokens, int | None)
    assert_type(result.charges, tuple[Charge, ...])
    assert_type(result.attempts, tuple[Attempt, ...])
    assert_type(result.tool_runs, tuple[ToolRun, ...])
    assert_type(result.error, TurnError | None)
    for charge in result.charges:
        assert_type(charge.amount_usd, Decimal | None)
    if result.error is not None:
        assert_type(result.error.retryable, bool)
        return result.error.message
    return result.answer


async def run_async(turn: TurnGraph, history: list[AnyMessage]) -> TurnResult:
    """The same on an event loop."""
    return await turn.arun(history, thread="t1")


def watch(turn: TurnGraph) -> Iterator[str]:
    """The type of an event says which fields it has."""
    for event in turn.stream_events("Hello!"):
        if event.type == "token":
            yield event.text
        elif event.type == "charge_created":
            yield f"{event.charge.amount_usd} USD"


def keep_books(ledger: Ledger) -> Decimal | None:
    """The ledger's methods."""
    ledger.set_budget(Budget(usd="20", per="account", period="month"))
    for row in ledger.spending(by="account"):
        assert_type(row.usd, Decimal)
    for state in ledger.budget_states():
        print(state)
    ledger.correct("attempt-1", Decimal("0.0012"), note="invoice 4711")
    ledger.export("october.csv")
    ledger.sweep(Prices())
    assert list(ledger.verify()) == []
    return ledger.total().usd


async def keep_books_async(ledger: Ledger) -> None:
    """Each method has an async version."""
    await ledger.aset_budget(Budget(usd="20"))
    total = await ledger.atotal()
    print(total.usd, await ledger.aturn_bill("order-1"))


def compose(turn: TurnGraph) -> None:
    """A turn is a node like any other."""
    graph = StateGraph(MessagesState)
    graph.add_node("chat", turn)
    graph.add_edge(START, "chat")
    graph.compile()


def step(turn: TurnGraph) -> None:
    """The stepper."""
    with TurnStepper(turn, {"messages": [("user", "Hello!")]}) as stepper:
        stepper.run_until("call_llm")
        stepper.run()
        print(stepper.cost, [step.nodes for step in stepper.timeline])


def test_without_a_model() -> None:
    """The scripted model, and errors by their class."""
    with ScriptedModel([Call(("calculator", {"expression": "6 * 7"})), Say("42")]) as model:
        config = ProviderConfig(base_url=model.base_url, model="scripted")
        try:
            chat_turn(config, functions=["calculator"]).run("What is 6 * 7?")
        except TurnConfigurationError as error:
            print(error)
        except BudgetExceededError as error:
            assert_type(error.limit, Decimal)
        except TurngraphError as error:
            print(error)
    print(explain_api("grok-4.3", vendor="xai"), StreamChunk)


def main() -> None:
    """From beginning to end."""
    with Ledger("sqlite:///turns.db") as ledger:
        turn = build(ledger)
        print(run(turn), keep_books(ledger))
        asyncio.run(run_async(turn, []))
