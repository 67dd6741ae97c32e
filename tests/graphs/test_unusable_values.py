"""Values that are no usable text or number end in a sentence that can be written down.

Python itself fails on them in many places: it writes no number of more than 4,300 digits, UTF-8 has
no half of a character, and a class may raise from its `__repr__`.
"""

import asyncio
from collections.abc import Callable
from typing import Any, NoReturn

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from tests.turns import Run, ask, both_ways
from turngraph import (
    Ledger,
    OpenAIProvider,
    Prices,
    ProviderConfig,
    Retry,
    TurngraphChatModel,
    TurnStepper,
    chat_turn,
    handler,
    load_manifests,
    openai_messages,
)
from turngraph.state.errors import TurngraphError, TurnInvocationError, TurnValueError
from turngraph.state.quoting import quoted


class Unwritable:
    """Has no text."""

    def __repr__(self) -> NoReturn:
        raise RuntimeError("no text")


BIG = 10**5_000
HALF = "\ud83d"
NO_TEXT = Unwritable()
UNUSABLE: list[Any] = [BIG, -BIG, HALF, NO_TEXT, [BIG], [HALF], [NO_TEXT], {BIG: 1}, {HALF: 1}]
NAMES: list[Any] = [BIG, HALF, NO_TEXT, (BIG,)]
"""Those of them that may be the name of a member."""


def provider() -> OpenAIProvider:
    return OpenAIProvider(ProviderConfig(model="m", base_url="http://127.0.0.1:9/v1"))


def stepped() -> TurnStepper:
    stepper = TurnStepper(chat_turn("scripted"), ask("Hi"))
    stepper.run()
    return stepper


def run_with(invoke: Any, config: Any) -> object:
    """Runs a turn with any configuration."""
    return invoke(ask("Hi"), config)


def refused(make: Callable[[], object]) -> str:
    """Returns the text of the error, which any file can hold."""
    with pytest.raises(TurngraphError) as caught:
        make()
    text = str(caught.value)
    assert text.encode()
    assert "4300" not in text
    return text


@pytest.mark.parametrize(
    "make",
    [
        lambda value: chat_turn(value),
        lambda value: chat_turn("scripted", tools=[value]),
        lambda value: chat_turn("scripted", response_format=value),
        lambda value: chat_turn("scripted", before_model=[value]),
        lambda value: chat_turn("scripted", approve=[value]),
        lambda value: Ledger(value),
        lambda value: Prices.load(value),
        lambda value: ProviderConfig(model="m", vendor=value),
        lambda value: Retry(attempts=value),
        lambda value: TurngraphChatModel(model="m", vendor=value),
        lambda value: openai_messages([value, {"role": value, "content": value}]),
        lambda value: provider().convert_messages_to_provider_format([("user", "x")], [value]),
        lambda value: list(provider().stream_generate([("user", "x")], turn_id=value)),
        lambda value: list(provider().stream_generate(["x"], tools=[value])),
        lambda value: stepped().run_until(value),
        lambda value: stepped().answer("yes", question=value),
        lambda value: stepped().back(value),
        lambda value: stepped().jump(value),
        lambda value: stepped().state_at(value),
        lambda value: stepped().compare("main", value),
        lambda value: stepped().fork(value),
        lambda value: stepped().save(value),
        lambda value: stepped().edit(settings={"response_format": value}),
        lambda value: TurnStepper(chat_turn("scripted"), ask("Hi"), thread=value),
        lambda value: TurnStepper.open(value, chat_turn("scripted")),
    ],
)
def test_an_unusable_argument_is_refused(make: Callable[[Any], object]) -> None:
    for value in UNUSABLE:
        refused(lambda value=value: make(value))  # type: ignore[misc]


@pytest.mark.parametrize(
    "make",
    [
        lambda name: chat_turn("scripted", prices={name: {"input": "1"}}),
        lambda name: chat_turn("scripted", retries={name: Retry()}),
        lambda name: chat_turn("scripted").invoke(ask("Hi", a=1) | {name: 1}),
        lambda name: run_with(chat_turn("scripted").invoke, {name: 1}),
        lambda name: chat_turn("scripted").invoke(ask("Hi"), {"metadata": {name: 1}}),
        lambda name: chat_turn("scripted").invoke(ask("Hi"), {"configurable": {name: 1}}),
    ],
)
def test_an_unusable_name_of_a_member_is_refused(make: Callable[[Any], object]) -> None:
    for name in NAMES:
        refused(lambda name=name: make(name))  # type: ignore[misc]


@both_ways
@pytest.mark.parametrize(
    "config",
    [
        {1: 2},
        *({"configurable": {"thread_id": value}} for value in [*UNUSABLE, {}, 2**63]),
        {"configurable": {"other": BIG}},
        {"configurable": {"turn_id": BIG}},
        *({"configurable": {"turn_account": value}} for value in (5, BIG, [BIG], HALF)),
        *({"metadata": {"a": value}} for value in (BIG, [BIG], {HALF: 1})),
        *({"tags": value} for value in (5, "ab", [HALF], [1])),
        *({"callbacks": value} for value in ([5], [NO_TEXT], (BIG,))),
        *({"run_id": value} for value in (BIG, NO_TEXT)),
        {"run_name": BIG},
    ],
)
def test_an_unusable_configuration_is_refused(run: Run, config: Any) -> None:
    """LangGraph copies much of it into every checkpoint, which then could not be written."""
    turn = chat_turn("scripted", checkpointer=InMemorySaver())
    config = {**config, "configurable": {"thread_id": "t", **config.get("configurable", {})}}
    refused(lambda: run(turn, ask("Hi"), config))


def test_a_typed_run_refuses_what_is_no_configuration_or_thread() -> None:
    turn: Any = chat_turn("scripted")
    given: Any = ({"config": {1: 2}}, {"thread": BIG}, {"thread": {}}, {"thread": NO_TEXT})
    for arguments in given:
        refused(lambda arguments=arguments: turn.run("Hi", **arguments))  # type: ignore[misc]
        refused(lambda arguments=arguments: asyncio.run(turn.arun("Hi", **arguments)))  # type: ignore[misc]


@both_ways
@pytest.mark.parametrize(
    "command",
    [
        *(Command(resume=value) for value in UNUSABLE),
        *(Command(resume=value) for value in ({1: 2}, int, 1j)),
        *(Command(goto=value) for value in (5, [BIG], {"a": 1}, NO_TEXT)),
        *(Command(update=value) for value in ({HALF: 1}, {BIG: 1}, {NO_TEXT: 1}, BIG)),
    ],
)
def test_an_unusable_command_is_refused(run: Run, command: Any) -> None:
    turn = chat_turn("scripted", checkpointer=InMemorySaver())
    with pytest.raises((TurnInvocationError, TurnValueError)):
        run(turn, command, {"configurable": {"thread_id": "t"}})


@pytest.mark.parametrize("member", ["tool_choice", "extra_body"])
def test_settings_with_an_unusable_name_are_refused(member: str) -> None:
    given = ask("Hi", settings={member: {HALF: 1}})
    text = refused(lambda: chat_turn("scripted").invoke(given))
    assert "`settings`" in text or "tool_choice" in text


def test_a_list_is_meant_where_a_single_message_or_tool_is_given() -> None:
    """A text was taken for the list of its letters, and sent so."""
    for argument in ("messages", "tools", "tool_outputs", "unanswered_predefined_questions"):
        given = {"messages": [("user", "Hi")], argument: "text"}
        text = refused(lambda given=given: list(provider().stream_generate(**given)))  # type: ignore[misc]
        assert f"`{argument}`" in text
        assert "a list" in text


def test_a_path_that_no_file_can_have_is_refused() -> None:
    for path in ("a\0b", HALF, BIG):
        assert "the path of a file" in refused(lambda path=path: stepped().save(path))  # type: ignore[misc]
    refused(lambda: load_manifests(HALF))


def test_a_value_without_a_text_is_quoted_by_its_class() -> None:
    assert [quoted(value) for value in (BIG, NO_TEXT, [NO_TEXT])] == [
        "a int", "a Unwritable", "a list"
    ]  # fmt: skip
    assert quoted("x" * 9, 3) == "xxx…"


def test_a_session_key_that_is_too_long_a_number_is_a_bad_request() -> None:
    """`handler` raises nothing for what a caller has sent."""
    for key in (BIG, -BIG, [BIG]):
        answer = handler(chat_turn("scripted"), {"session_key": key, "input_text": "Hi"})
        assert answer["statusCode"] == 400
