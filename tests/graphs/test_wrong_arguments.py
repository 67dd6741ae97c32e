"""Wrong but plausible arguments of public functions end in a sentence of ours, never in Python's
own error.
"""

import asyncio
import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from tests.turns import Run, ask, both_ways, turn_on
from turngraph import (
    Ledger,
    McpServers,
    MeteringConfig,
    OpenAIProvider,
    OpenTelemetry,
    Prices,
    ProviderConfig,
    Retry,
    ScriptedModel,
    TurngraphChatModel,
    TurnStepper,
    build_chat_turn,
    chat_turn,
    handler,
    load_manifests,
    openai_messages,
)
from turngraph.billing.errors import LedgerError
from turngraph.providers.writing.chat_converter import OpenAIChatConverter
from turngraph.providers.writing.responses_converter import OpenAIResponsesConverter
from turngraph.state.errors import (
    TurnConfigurationError,
    TurngraphError,
    TurnInvocationError,
    TurnValueError,
)

_MANIFEST = """
apiVersion: turngraph/v1
kind: Plugin
metadata: {name: shop}
spec: {selector: {directive: always}, data: {description: Hours., static_data: {opens: 9}}}
"""
WRONG: list[Any] = [5, None, b"x", ["x"], {"a": 5}, object(), len]


def refuses(make: Callable[[Any], object], *, but: tuple[Any, ...] = ()) -> None:
    """Each wrong value is refused by a sentence, or is allowed; no other error comes out."""
    for value in WRONG:
        if not any(value is allowed for allowed in but):
            with pytest.raises(TurngraphError, match=" "):
                make(value)


@pytest.mark.parametrize(
    ("make", "allowed"),
    [
        (lambda value: ProviderConfig(vendor=value, model="m"), (WRONG[1],)),
        (lambda value: Retry(attempts=value), (WRONG[0],)),
        (lambda value: Retry(on=value), ()),
        (lambda value: Retry(wait_s=value), (WRONG[0],)),
        (lambda value: Ledger(value), ()),
        (lambda value: Ledger("sqlite://", spool=value), (WRONG[1],)),
        (lambda value: list(load_manifests(value)), (WRONG[3], WRONG[4])),
        (lambda value: McpServers(value), ()),
        (lambda value: openai_messages(value), (WRONG[3], WRONG[4])),
        (lambda value: OpenAIProvider(value), ()),
        (lambda value: TurnStepper(value), ()),
        (lambda value: ScriptedModel(value), ()),
        (lambda value: ScriptedModel(accepts=value), (WRONG[3], WRONG[4])),
        (lambda value: ScriptedModel(port=value), (WRONG[0],)),
        (lambda value: TurngraphChatModel(model="m", base_url=value), (WRONG[1],)),
        (lambda value: TurngraphChatModel(model="m", api_key="k", model_kwargs=value), (WRONG[4],)),
        (lambda value: TurngraphChatModel(model="m", api_key="k", root_client=value), (WRONG[1],)),
        (lambda value: Prices.load(value), ()),
        (lambda value: MeteringConfig(value), ()),
        (lambda value: MeteringConfig(Ledger("sqlite://"), budgets=value), ()),
        (lambda value: build_chat_turn(value), ()),
        (lambda value: load_manifests(_MANIFEST, secrets=value), (WRONG[1],)),
        (lambda value: load_manifests(_MANIFEST, allow_hosts=value), (WRONG[3], WRONG[4])),
        (lambda value: handler(chat_turn("scripted"), {}, tags=value), (WRONG[3],)),
        (lambda value: handler(chat_turn("scripted"), {}, plugins=value), (WRONG[1], WRONG[3])),
        (lambda value: TurnStepper(chat_turn("scripted"), ask("Hi"), breakpoints=value), ()),
        (lambda value: OpenTelemetry(tracer_provider=value), (WRONG[1],)),
        (lambda value: chat_turn("scripted", plugins=value), ()),
        (lambda value: chat_turn("scripted", interrupt_before=value), (WRONG[1],)),
    ],
)
def test_a_value_of_a_wrong_kind_is_refused_where_it_is_given(
    make: Callable[[Any], object], allowed: tuple[Any, ...]
) -> None:
    refuses(make, but=allowed)


@pytest.mark.parametrize("prices", ["\ud800", "a\0b"])
def test_a_text_that_is_no_path_is_no_price_file(prices: str) -> None:
    with pytest.raises(TurnConfigurationError, match="path of a price file"):
        chat_turn("scripted", prices=prices)


def test_a_number_too_long_to_be_written_is_named_by_its_kind() -> None:
    """Python writes no number of more than 4,300 digits: the refusal itself failed."""
    with pytest.raises(TurnConfigurationError, match="`wait_s` is a int"):
        chat_turn("scripted", wait_s=10**5_000)


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("spending", {"by": ["account"]}),
        ("spending", {"account": b"x"}),
        ("spending", {"limit": "5"}),
        ("total", {"since": "yesterday"}),
        ("total", {"account": "\ud800"}),
        ("budget_states", {"limit": 10**40}),
        ("outstanding", {"quiet_s": None}),
        ("sweep", {"limit": [1]}),
        ("sweep", {"policy": "guess"}),
        ("turn_bill", {"turn_id": 10**40}),
        ("remove_budget", {"budget_id": ["x"]}),
        ("set_budget", {"budget": {"usd": "1"}}),
        ("correct", {"attempt_id": "c1.1", "usd": "a lot", "note": "n"}),
        ("correct", {"attempt_id": "c1.1", "usd": None, "note": "n"}),
        ("correct", {"attempt_id": 5, "usd": "1", "note": "n"}),
        ("export", {"path": None}),
        ("reprice", {"prices": None, "vendor": "openai", "model": "gpt-5"}),
        ("forget_answers", {"days": float("nan")}),
        ("forget_answers", {"days": 10**40}),
    ],
)
def test_a_ledger_refuses_an_argument_of_a_wrong_kind(
    method: str, arguments: dict[str, Any]
) -> None:
    """They were errors of the database's driver, of `decimal` and of `datetime`."""
    with Ledger("sqlite://") as ledger:
        with pytest.raises(LedgerError, match="must be"):
            getattr(ledger, method)(**arguments)
        with pytest.raises(LedgerError, match="must be"):
            asyncio.run(getattr(ledger, f"a{method}")(**arguments))


@pytest.mark.parametrize("text", ["x" * 5_000, "\ud800", "a\0b"])
def test_a_text_that_is_no_path_is_no_manifest(text: str) -> None:
    with pytest.raises(TurnConfigurationError, match="neither a path nor a manifest"):
        load_manifests(text)


@both_ways
@pytest.mark.parametrize("config", [None, {}, {"configurable": {}}, {"metadata": {"a": 1}}])
def test_with_a_checkpointer_a_run_must_name_its_thread(run: Run, config: Any) -> None:
    """It was a KeyError out of the checkpointer."""
    turn = chat_turn("scripted", checkpointer=InMemorySaver())
    with pytest.raises(TurnInvocationError, match="names no thread"):
        run(turn, ask("Hi"), config)
    for look in (turn.get_state, lambda given: list(turn.get_state_history(given))):
        with pytest.raises(TurnInvocationError, match="names no thread"):
            look(config)
    with pytest.raises(TurnInvocationError, match="names no thread"):
        turn.update_state(config, ask("Hi"))


def test_a_thread_that_is_bound_to_the_graph_is_named() -> None:
    turn = chat_turn("scripted", checkpointer=InMemorySaver())
    bound = turn.with_config({"configurable": {"thread_id": "1"}})
    assert bound.invoke(ask("Hi"))["result"].ok


@both_ways
@pytest.mark.parametrize(
    "config",
    [
        [1],
        "x",
        {"configurable": None},
        {"configurable": [1]},
        {"callbacks": 3},
        {"metadata": 3},
        {"recursion_limit": "x"},
        {"max_concurrency": "x"},
        {"configurable": {"cancel": 5}},
        {"configurable": {"checkpoint_ns": 5}},
    ],
)
def test_a_configuration_of_a_wrong_kind_is_refused(run: Run, config: Any) -> None:
    with pytest.raises(TurnInvocationError, match=r"must be|not"):
        run(chat_turn("scripted"), ask("Hi"), config)


@pytest.mark.parametrize(
    "arguments",
    [{"stream_mode": 5}, {"stream_mode": "all"}, {"durability": "x"}, {"interrupt_before": 5},
     {"interrupt_after": "call_llm"}, {"output_keys": 5}],
)  # fmt: skip
def test_an_argument_of_a_run_of_a_wrong_kind_is_refused(arguments: dict[str, Any]) -> None:
    """LangGraph read a name as a list of its letters, and stopped nowhere."""
    with pytest.raises(TurnInvocationError, match="must be"):
        chat_turn("scripted").invoke(ask("Hi"), **arguments)


class _Unknown(BaseTool):
    name: str = "look"
    description: str = "Looks."

    def _run(self, frame: "DataFrame") -> str:  # type: ignore[name-defined]  # noqa: F821
        return ""


def _unknown(frame: "DataFrame") -> str:  # type: ignore[name-defined]  # noqa: F821
    """Looks."""
    return ""


def _no_expression(frame: "int[") -> str:  # type: ignore[valid-type]  # noqa: F722
    """Looks."""
    return ""


@pytest.mark.parametrize(
    ("tool", "named"),
    [(_Unknown(), "`look`.*`DataFrame`"), (_unknown, "`_unknown`.*`DataFrame`"),
     (_no_expression, "`_no_expression`")],
)  # fmt: skip
def test_a_tool_whose_annotation_cannot_be_resolved_is_named(tool: Any, named: str) -> None:
    with pytest.raises(TurnConfigurationError, match=named):
        chat_turn("scripted", tools=[tool])


def test_a_stepper_without_an_input_says_so() -> None:
    with pytest.raises(TurnInvocationError, match="Give an input"):
        TurnStepper(chat_turn("scripted"))


def test_what_holds_connections_is_copied_as_itself_and_not_pickled(tmp_path: Path) -> None:
    """Both were TypeErrors about a lock."""
    provider = OpenAIProvider(ProviderConfig(base_url="http://127.0.0.1:9/v1", model="m"))
    (tmp_path / "empty").mkdir()
    shared = [provider, Ledger("sqlite://"), ScriptedModel(), McpServers({})]
    for each in [*shared, load_manifests(tmp_path / "empty")]:
        assert copy.deepcopy(each) is each
        assert copy.copy(each) is each
        with pytest.raises(TurnConfigurationError, match="is not pickled"):
            pickle.dumps(each)


def test_a_turn_can_be_copied() -> None:
    turn = chat_turn("scripted", functions=["calculator"], checkpointer=InMemorySaver())
    for copied in (copy.copy(turn), copy.deepcopy(turn)):
        copied.checkpointer = None
        assert copied.run("What is 6 * 7?").tool_runs[0].content == "42"
    assert turn.checkpointer is not None
    with pytest.raises(TurnConfigurationError, match="A turn holds"):
        pickle.dumps(turn)
    stepper = TurnStepper(turn, ask("Hi"))
    for attempt in (copy.deepcopy, pickle.dumps):
        with pytest.raises(TurnInvocationError, match="neither copied nor pickled"):
            attempt(stepper)


def test_prices_are_pickled() -> None:
    assert pickle.loads(pickle.dumps(Prices())) == Prices()


@pytest.mark.parametrize("converter", [OpenAIChatConverter(), OpenAIResponsesConverter()])
def test_converters_take_dicts_of_messages(converter: Any) -> None:
    """As Chat Completions has them; they were AttributeErrors."""
    told = {"role": "tool", "tool_call_id": "c", "content": "3"}
    assert converter.convert_user({"role": "user", "content": "Hi"}) == converter.convert_user(
        HumanMessage("Hi")
    )
    assert converter.convert_all([{"role": "user", "content": "Hi"}])
    assert converter.convert_tool_result(told)
    assert converter.convert_assistant({"role": "assistant", "content": "Hi"})
    assert converter.convert_system({"role": "system", "content": "Hi"})
    for convert in (converter.convert_user, converter.convert_assistant, converter.convert_system):
        with pytest.raises(TurnValueError, match="Not a message"):
            convert(5)
    with pytest.raises(TurnValueError, match="ToolMessage"):
        converter.convert_tool_result(HumanMessage("Hi"))


@both_ways
@pytest.mark.parametrize(
    "command",
    [
        Command(update={"messages": [HumanMessage("Hi")]}),
        Command(resume="approve"),
        Command(goto="call_llm"),
        Command(goto="nowhere"),
    ],
    ids=["update", "resume", "stage", "unknown stage"],
)
@pytest.mark.parametrize("kept", [True, False], ids=["checkpointer", "none"])
@pytest.mark.parametrize("bound", [True, False], ids=["ledger", "without"])
def test_a_command_where_no_turn_has_begun_is_refused_and_nothing_is_sent(
    run: Run, command: Command[Any], kept: bool, bound: bool
) -> None:
    """LangGraph would run a stage on a state that lacks its keys."""
    with ScriptedModel() as model, Ledger("sqlite://") as ledger:
        options: dict[str, Any] = {"ledger": ledger} if bound else {}
        checkpointer = InMemorySaver() if kept else None
        turn = turn_on(model, checkpointer=checkpointer, **options)
        with pytest.raises(TurnInvocationError, match=r"no turn has begun|there is none"):
            run(turn, command, {"configurable": {"thread_id": "t"}})
        assert len(model.requests) == 0


def test_an_update_as_a_stage_of_a_turn_that_has_not_begun_is_refused() -> None:
    """The edge after the stage reads what the stage would have written."""
    turn = chat_turn("scripted", checkpointer=InMemorySaver())
    with pytest.raises(TurnInvocationError, match="no turn has begun"):
        turn.update_state(
            {"configurable": {"thread_id": "t"}}, {"messages": []}, as_node="prep_first_request"
        )


@pytest.mark.parametrize("bound", [True, False], ids=["ledger", "without"])
@pytest.mark.parametrize("is_async", [True, False], ids=["async", "sync"])
async def test_messages_written_into_an_empty_thread_are_an_input(
    bound: bool, is_async: bool
) -> None:
    """As in any graph: `invoke(None)` runs it. Each is a turn of its own, charged once."""
    turn = chat_turn(
        "scripted", checkpointer=InMemorySaver(), ledger="sqlite://" if bound else None
    )
    thread: RunnableConfig = {"configurable": {"thread_id": "t"}}
    results = []
    for node in (None, "__start__", "__input__"):
        if is_async:
            await turn.aupdate_state(thread, ask("Hi"), as_node=node)
            results.append((await turn.ainvoke(None, thread))["result"])
        else:
            turn.update_state(thread, ask("Hi"), as_node=node)
            results.append(turn.invoke(None, thread)["result"])
    assert [result.status for result in results] == ["completed"] * 3
    assert len({result.turn_id for result in results}) == 3
    assert len(turn.get_state(thread).values["messages"]) == 6
    if turn.ledger is not None:
        assert len(turn.ledger.spending("turn")) == 3
        assert turn.ledger.verify() == []


@pytest.mark.parametrize("number", [2**70, "\ud800"], ids=["number", "half a character"])
def test_a_decision_that_no_checkpoint_can_hold_is_refused(number: Any) -> None:
    """LangGraph stores what a run is resumed with; the turn still waits afterwards."""
    turn = chat_turn(
        "scripted", functions=["calculator"], approve=True, checkpointer=InMemorySaver()
    )
    thread: RunnableConfig = {"configurable": {"thread_id": "t"}}
    turn.invoke({"messages": [("user", "What is 6 * 7?")]}, thread)
    edit = {"decision": "edit", "arguments": {"expression": number}}
    with pytest.raises(TurnValueError, match="`resume`"):
        turn.invoke(Command(resume=edit), thread)
    assert turn.invoke(Command(resume="approve"), thread)["result"].answer


@pytest.mark.parametrize(
    "settings",
    [{"seed": 2**70}, {"extra_body": {"a": [2**70]}}, {"account": "\ud800"}],
    ids=["seed", "extra_body", "account"],
)
def test_settings_that_cannot_be_kept_are_refused(settings: dict[str, Any]) -> None:
    """Before a checkpointer or a ledger fails at them."""
    with Ledger("sqlite://") as ledger:
        turn = chat_turn("scripted", checkpointer=InMemorySaver(), ledger=ledger)
        with pytest.raises(TurnValueError, match="`settings"):
            turn.invoke(ask("Hi", settings=settings), {"configurable": {"thread_id": "t"}})


def test_an_input_may_be_written_into_an_empty_thread_as_langgraph_calls_it() -> None:
    """The refusal said that the first stage needs a `turn_id`, which nobody gives."""
    turn = chat_turn("scripted", checkpointer=InMemorySaver())
    thread: RunnableConfig = {"configurable": {"thread_id": "t"}}
    turn.update_state(thread, ask("Hi"), as_node="__input__")
    assert turn.invoke(None, thread)["result"].ok
    for values in (None, {}, {"settings": None}):
        with pytest.raises(TurnInvocationError, match=r"is the input of a turn.*no `messages`"):
            turn.update_state(thread, values, as_node="__input__")


@pytest.mark.parametrize("name", [5, ["call_llm"], {}, b"call_llm", "\ud800"])
def test_an_update_as_what_is_no_name_is_refused(name: Any) -> None:
    turn = chat_turn("scripted", checkpointer=InMemorySaver())
    thread: RunnableConfig = {"configurable": {"thread_id": "t"}}
    with pytest.raises(TurnInvocationError, match=r"`as_node` is .*the name of a node"):
        turn.update_state(thread, ask("Hi"), as_node=name)
    with pytest.raises(TurnInvocationError, match="`task_id` is "):
        turn.update_state(thread, ask("Hi"), as_node="__start__", task_id=name)
