"""An answer that was asked for in a format is read in it, or is no completed turn."""

import dataclasses
import json
import re
from datetime import date
from typing import Annotated, Any, Generic, NotRequired, TypeVar

import pydantic.v1
import pytest
from langgraph.checkpoint.memory import InMemorySaver
from pydantic import BaseModel, ConfigDict, Field, RootModel, field_validator
from typing_extensions import TypedDict

from tests.turns import Run, ask, both_apis, both_ways, config, result_of, streamed_or_not, turn_on
from turngraph.graphs import chat_turn
from turngraph.providers import ProviderConfig
from turngraph.scripted import Call, Refuse, Say, ScriptedModel
from turngraph.state.errors import TurnConfigurationError
from turngraph.state.result import TurnResult
from turngraph.state.turn import TurnSettings

T = TypeVar("T")
NUMBERS = {
    "type": "json_schema",
    "json_schema": {
        "name": "numbers",
        "schema": {"type": "object", "properties": {"n": {"type": "integer"}}},
    },
}
BACKTRACKING = {
    "type": "json_schema",
    "json_schema": {"name": "n", "schema": {"properties": {"n": {"pattern": "^(a|a)*$"}}}},
}


class Count(BaseModel):
    n: int = Field(alias="number")


class Evil(BaseModel):
    """Patterns that Python's own engine matches for hours."""

    model_config = ConfigDict(regex_engine="python-re")
    name: Annotated[str, Field(pattern=r"^(a+)+$")] | None = None
    code: str = Field(default="", pattern=re.compile(r"^(a|a)*$"))


class Old(pydantic.v1.BaseModel):
    n: int


class Box(BaseModel, Generic[T]):
    item: T


def run(*answers: Any, settings: TurnSettings | None = None, **options: Any) -> TurnResult:
    with ScriptedModel(answers) as model:
        out = turn_on(model, **options).invoke(ask("How many?", settings=settings))
    return result_of(dict(out))


@both_ways
@both_apis
@streamed_or_not
def test_the_answer_is_an_instance_of_the_class(run: Run, api: str, stream: bool) -> None:
    with ScriptedModel([Say('{"number": 3}')]) as model:
        turn = turn_on(model, api=api, stream=stream, response_format=Count)
        result = result_of(run(turn, ask("How many?")))
    assert (result.status, result.parsed) == ("completed", Count(number=3))


@dataclasses.dataclass
class Place:
    city: str
    since: date


class City(TypedDict):
    city: str
    since: NotRequired[date]


CITY = {"type": "object", "title": "My city", "properties": {"city": {"type": "string"}}}


@pytest.mark.parametrize(
    ("form", "parsed"),
    [
        (Place, Place("Oslo", date(2026, 1, 2))),
        (City, {"city": "Oslo", "since": date(2026, 1, 2)}),
        (CITY, {"city": "Oslo", "since": "2026-01-02"}),
        ({"$ref": "#/$defs/c", "$defs": {"c": CITY}}, {"city": "Oslo", "since": "2026-01-02"}),
    ],
)
@pytest.mark.parametrize("where", ["turn", "configuration"])
def test_a_format_may_be_any_class_or_schema_of_an_object(
    form: Any, parsed: Any, where: str
) -> None:
    """As in LangChain's agents; what is stored of it is plain JSON."""
    with ScriptedModel([Say('{"city": "Oslo", "since": "2026-01-02"}')]) as model:
        turn = (
            turn_on(model, response_format=form)
            if where == "turn"
            else chat_turn(config(model, response_format=form))
        )
        result = turn.run("Where?")
        sent = model.requests[0].body["response_format"]["json_schema"]
    assert (result.status, result.parsed) == ("completed", parsed)
    assert re.fullmatch("[A-Za-z0-9_-]+", sent["name"])
    stored = TurnResult.model_validate(result.model_dump(mode="json"))
    assert stored.parsed == {"city": "Oslo", "since": "2026-01-02"}


@pytest.mark.parametrize("form", [Place, City, CITY])
def test_an_answer_that_fits_no_such_form_is_invalid(form: Any) -> None:
    assert run(Say('{"city": 3}'), response_format=form).status == "invalid_answer"


def test_the_format_may_be_in_the_configuration() -> None:
    with ScriptedModel([Say('{"number": 3}')]) as model:
        result = chat_turn(config(model, response_format=Count)).run("How many?")
    assert result.parsed == Count(number=3)


@both_ways
@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ("not json", "Invalid JSON"),
        ('{"number": "x"}', "at `number`: Input should be a valid integer"),
        ("{}", "at `number`: Field required"),
        ('{"number": 3} and more', "Invalid JSON"),
    ],
)
def test_an_answer_that_does_not_fit_is_no_completed_turn(
    run: Run, answer: str, problem: str
) -> None:
    with ScriptedModel([Say(answer)]) as model:
        result = result_of(run(turn_on(model, response_format=Count), ask("How many?")))
    assert (result.status, result.parsed, result.answer) == ("invalid_answer", None, answer)
    assert result.error is not None
    assert problem in result.error.message
    assert result.http_status == 502
    assert len(result.attempts) == 1


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ({"name": "a" * 60 + "!"}, "The answer does not fit: at `$.name`"),
        ({"code": "a" * 60 + "!"}, "could not be checked within 0.5 seconds"),
        ({"name": "aaa", "code": "aa"}, None),
    ],
)
def test_a_class_whose_patterns_backtrack_holds_nobody_up(
    answer: dict[str, str], problem: str | None
) -> None:
    """They are matched within a time limit before the class sees the answer."""
    result = run(Say(json.dumps(answer)), response_format=Evil)
    assert (result.parsed is None) is (problem is not None)
    assert problem is None or problem in str(result.error)


@pytest.mark.parametrize(
    ("form", "answer", "parsed", "problem"),
    [
        (NUMBERS, '{"n": 3}', {"n": 3}, None),
        (NUMBERS, '{"n": "x"}', None, 'at `$.n`: "x" is not of type "integer"'),
        (NUMBERS, "three", None, "The answer is not JSON"),
        (NUMBERS, '{"n": NaN}', None, "it holds `NaN`"),
        (NUMBERS, "[" * 100_000, None, "cannot|The answer is not JSON"),
        (BACKTRACKING, '{"n": "' + "a" * 40 + '!"}', None, "could not be checked within"),
        ({"type": "json_object"}, '{"any": [1]}', {"any": [1]}, None),
        ({"type": "json_object"}, "[1]", None, 'is not of type "object"'),
        ({"type": "text"}, "three", None, None),
    ],
)
def test_a_format_that_is_json_gives_plain_json(
    form: dict[str, Any], answer: str, parsed: Any, problem: str | None
) -> None:
    for result in (
        run(Say(answer), response_format=form),
        run(Say(answer), settings=TurnSettings(response_format=form)),
    ):
        assert result.parsed == parsed
        assert result.status == ("completed" if problem is None else "invalid_answer")
        if problem is not None and result.error is not None:
            assert any(words in result.error.message for words in problem.split("|"))


@pytest.mark.parametrize("form", [Count, {"type": "json_object"}])
def test_json_in_a_block_of_markdown_is_read(form: Any) -> None:
    """Models that no vendor holds to a format like to write it so; the answer keeps its text."""
    answer = '```json\n{"number": 3}\n```'
    result = run(Say(answer), response_format=form)
    parsed = (
        result.parsed
        if isinstance(result.parsed, dict)
        else result.parsed.model_dump(by_alias=True)
    )
    assert (result.status, parsed, result.answer) == ("completed", {"number": 3}, answer)


def test_a_class_for_one_turn_gives_plain_json() -> None:
    """The state holds data alone, so the class is not there any more when the answer comes."""
    result = run(
        Say('{"number": 3}'), settings=TurnSettings.model_validate({"response_format": Count})
    )
    assert result.parsed == {"number": 3}


@both_ways
def test_one_repair_round_if_it_is_asked_for(run: Run) -> None:
    """The model is told what was wrong; both calls are billed and stand in the conversation."""
    with ScriptedModel([Say("three"), Say('{"number": 3}')]) as model:
        out = run(turn_on(model, response_format=Count, repair_answer=True), ask("How many?"))
        wrong, correction = model.requests[1].body["messages"][-2:]
    result = result_of(out)
    assert (result.status, result.parsed, len(result.charges)) == ("completed", Count(number=3), 2)
    assert wrong["content"] == "three"
    assert correction["role"] == "user"
    assert "Invalid JSON" in correction["content"]
    assert [message.type for message in out["messages"]] == ["human", "ai", "human", "ai"]


def test_there_is_one_repair_round_and_no_more() -> None:
    result = run(
        Say("a"), Say("b"), Say('{"number": 3}'), response_format=Count, repair_answer=True
    )
    assert (result.status, len(result.attempts)) == ("invalid_answer", 2)


def test_every_turn_of_a_thread_has_its_repair_round() -> None:
    answers = [Say("a"), Say('{"number": 1}'), Say("b"), Say('{"number": 2}')]
    with ScriptedModel(answers) as model:
        turn = turn_on(
            model, response_format=Count, repair_answer=True, checkpointer=InMemorySaver()
        )
        results = [turn.run(text, thread="t") for text in ("One?", "Two?")]
    assert [result.parsed for result in results] == [Count(number=1), Count(number=2)]


def test_a_call_and_a_refusal_are_no_answers_to_read() -> None:
    def weigh() -> str:
        """Weigh it."""
        return "3"

    called = run(Call(("weigh", {})), Say('{"number": 3}'), tools=[weigh], response_format=Count)
    assert called.parsed == Count(number=3)
    assert run(Refuse("No."), response_format=Count, repair_answer=True).status == "refused"


def test_a_stored_result_holds_plain_json() -> None:
    """Another process may not have the class, and a checkpoint must be readable without it."""
    with ScriptedModel([Say('{"number": 3}')]) as model:
        turn = turn_on(model, response_format=Count, checkpointer=InMemorySaver())
        result = turn.run("How many?", thread="t")
        stored = turn.get_state({"configurable": {"thread_id": "t"}}).values["result"]
    assert stored.parsed == {"number": 3}
    assert Count.model_validate(stored.parsed) == result.parsed
    assert json.loads(result.to_http()["body"])["turn"]["parsed"] == {"number": 3}


@pytest.mark.parametrize(
    "form",
    [
        int,
        list[Count],
        Count | Box[int],
        Old,
        {"type": "xml"},
        {"type": "array", "items": {}},
        {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "objekt"}}},
        {"type": "json_schema", "json_schema": 3},
    ],
)
def test_a_format_that_nothing_can_be_checked_by_is_refused_when_wired(form: Any) -> None:
    with pytest.raises(TurnConfigurationError):
        chat_turn("scripted", response_format=form)


@pytest.mark.parametrize("levels", [60, 900, 5_000])
def test_a_format_that_is_too_deep_is_refused_wherever_it_is_given(levels: int) -> None:
    """By a sentence, not by pydantic's own check for values that contain themselves."""
    schema: Any = {"type": "string"}
    for _ in range(levels):
        schema = {"type": "object", "properties": {"a": schema}}
    form = {"type": "json_schema", "json_schema": {"name": "deep", "schema": schema}}
    for use in (
        lambda: chat_turn("scripted", response_format=form),
        lambda: TurnSettings(response_format=form),
        lambda: ProviderConfig(model="m", base_url="http://h/v1", response_format=form),
    ):
        with pytest.raises(TurnConfigurationError, match="deeper than 100 levels"):
            use()


def test_a_generic_class_has_a_name_that_vendors_take() -> None:
    result = run(Say('{"item": 3}'), response_format=Box[int])
    assert result.parsed == Box[int](item=3)


@both_apis
def test_settings_of_one_turn_are_sent_in_it_alone(api: str) -> None:
    settings = TurnSettings(reasoning_effort="low", verbosity="low")
    with ScriptedModel([Say("1"), Say("2")]) as model:
        turn = chat_turn(config(model, model="gpt-5", api=api))
        turn.run("One?", settings=settings)
        turn.run("Two?")
        first, second = (json.dumps(request.body) for request in model.requests)
    assert first.count('"low"') == 2
    assert '"low"' not in second


def test_a_turn_continues_an_answer_that_the_vendor_stored() -> None:
    with ScriptedModel([Say("One."), Say("Two.")]) as model:
        turn = turn_on(model, api="responses", checkpointer=InMemorySaver())
        first = turn.run("One?", thread="t").responses[0].response_id
        turn.run("Two?", thread="t", settings=TurnSettings(previous_response_id=first))
        body = model.requests[1].body
    assert body["previous_response_id"] == first
    assert [item["role"] for item in body["input"]] == ["user"]


class Checked(BaseModel):
    n: int

    @field_validator("n")
    @classmethod
    def _check(cls, n: int) -> int:
        return {1: 1}[n]


def test_a_check_of_the_users_that_raises_is_a_mistake_in_the_answer() -> None:
    """The answer is paid for: a KeyError out of a validator must not lose the result."""
    result = run(Say('{"n": 2}'), response_format=Checked)
    assert (result.status, result.answer) == ("invalid_answer", '{"n": 2}')
    assert result.error is not None
    assert "the check of `Checked` raised KeyError" in result.error.message


@pytest.mark.parametrize("schema", [{"$ref": "#/$defs/Q"}, {"properties": {"n": {"$ref": "#q"}}}])
def test_a_schema_that_refers_to_what_it_does_not_hold_is_refused(schema: dict[str, Any]) -> None:
    """It was an error of another package when the answer was checked."""
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}
    with pytest.raises(TurnConfigurationError, match="which it does not hold"):
        chat_turn("scripted", response_format=form)


@pytest.mark.parametrize("inner", [list[int], str, int])
def test_a_class_whose_json_is_no_object_is_refused_when_the_turn_is_built(inner: Any) -> None:
    """Vendors refuse it with 400, once the turn has begun."""
    with pytest.raises(TurnConfigurationError, match="vendors take objects"):
        chat_turn("scripted", response_format=RootModel[inner])
