"""The Responses API from outside: OpenAI's own client, against turns on the scripted model."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
from pydantic import BaseModel
from sqlalchemy import text as sql

from tests.interfaces.server.serving import (
    PlainCallers,
    Vendor,
    client,
    config_of,
    model_config,
    running,
    serving,
)
from turngraph.billing.ledger import Ledger
from turngraph.billing.store.transaction import LedgerTransaction
from turngraph.interfaces.server.app import create_app
from turngraph.interfaces.server.config import FallbackConfig, ServerConfig, StoreSettings
from turngraph.interfaces.server.keys.operations import create_key, revoke_key
from turngraph.interfaces.server.request_rows import ResponseRow, add_response, find_response
from turngraph.interfaces.server.tables import create_server_tables
from turngraph.scripted import Call, Cut, Fail, Hang, Refuse, Say
from turngraph.state.limits import TurnLimits

LOCATE: Any = {
    "type": "function",
    "name": "locate",
    "parameters": {"type": "object", "properties": {}},
    "strict": False,
}
CALCULATE = Call(("calculator", {"expression": "6 * 7"}), text="Let me see.")


def configuration(vendor: Vendor, folder: Path) -> ServerConfig:
    once = TurnLimits(attempts=1)
    models = {
        "assistant": model_config(vendor, functions=("calculator",), limits=once),
        "other": model_config(vendor),
        "guarded": model_config(vendor, functions=("calculator",), approve=True),
        "first": model_config(
            vendor, limits=once, fallbacks=(FallbackConfig(model="other", on=("server",)),)
        ),
    }
    store = StoreSettings(database=f"sqlite:///{folder}/turns.db")
    config = config_of(models, sweep_seconds=0.3)
    return ServerConfig(server=config.server, store=store, models=config.models)


@pytest.fixture(scope="module")
def url(vendor: Vendor, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(configuration(vendor, tmp_path_factory.mktemp("server"))) as served:
        yield served


def sent(vendor: Vendor, before: int) -> list[list[tuple[str, Any]]]:
    """Role and content of the messages of each request since `before`."""
    return [
        [(message["role"], message.get("content")) for message in each.body["messages"]]
        for each in vendor.requests[before:]
    ]


def test_a_response_is_whole_and_stored(url: str, vendor: Vendor) -> None:
    """What it said on the way, the answer, its usage and cost; deleted, it is gone."""
    vendor.play(CALCULATE, Say("It is 42."))
    asked = client(url)
    made: Any = asked.responses.create(model="assistant", input="6 * 7?", metadata={"a": "b"})
    assert (made.status, made.model, made.metadata) == ("completed", "assistant", {"a": "b"})
    assert [each.content[0].text for each in made.output] == ["Let me see.", "It is 42."]
    assert made.usage.total_tokens == made.usage.input_tokens + made.usage.output_tokens > 0
    assert Decimal(made.turngraph["cost_usd"]) > 0
    found = asked.responses.retrieve(made.id)
    assert found == made
    [item] = asked.responses.input_items.list(made.id).data
    assert item.content[0].text == "6 * 7?"  # type: ignore[union-attr,index]
    for stranger in (client(url, "bolt"),):
        with pytest.raises(openai.NotFoundError):
            stranger.responses.retrieve(made.id)
        with pytest.raises(openai.NotFoundError):
            stranger.responses.create(model="assistant", input="?", previous_response_id=made.id)
        with pytest.raises(openai.NotFoundError):
            stranger.responses.delete(made.id)
    asked.responses.delete(made.id)
    with pytest.raises(openai.NotFoundError):
        asked.responses.retrieve(made.id)


def test_an_item_that_is_named_by_its_id_is_put_in(url: str, vendor: Vendor) -> None:
    """Vercel's AI SDK names earlier items so. Those of another account are not found."""
    before = vendor.play(Say("Rome."), Call(("locate", {})), Say("Still Rome."), Say("And now?"))
    asked = client(url)
    first = asked.responses.create(model="assistant", input="Where am I?")
    [question] = asked.responses.input_items.list(first.id).data
    given: list[Any] = [
        {"type": "item_reference", "id": question.id},
        {"id": first.output[0].id},
        {"role": "user", "content": "And now?"},
    ]
    second = asked.responses.create(model="other", input=given, tools=[LOCATE])
    [call] = second.output
    assert call.type == "function_call"
    given += [
        {"type": "item_reference", "id": call.id},
        {"type": "function_call_output", "call_id": call.call_id, "output": "Rome"},
    ]
    third = asked.responses.create(model="other", input=given, tools=[LOCATE])
    assert third.output_text == "Still Rome."
    given += [
        {"type": "item_reference", "id": third.output[0].id},
        {"role": "user", "content": "?"},
    ]
    asked.responses.create(model="other", input=given, tools=[LOCATE])
    *_, conversation = sent(vendor, before)
    assert [text for _, text in conversation] == [
        "Where am I?", "Rome.", "And now?", None, "Rome", "Still Rome.", "?",
    ]  # fmt: skip
    for stranger, name in ((client(url, "bolt"), first.output[0].id), (asked, "msg_of_nobody")):
        unknown: Any = [{"type": "item_reference", "id": name}]
        with pytest.raises(openai.NotFoundError, match=f"`{name}` not found"):
            stranger.responses.create(model="assistant", input=unknown)
    asked.responses.delete(first.id)
    with pytest.raises(openai.NotFoundError, match="until it is deleted"):
        asked.responses.create(model="other", input=given)


def test_a_response_says_what_open_responses_requires(url: str) -> None:
    """Strict clients check that these members are there, and that some are numbers. What is not
    served is not taken for the id of a response.
    """
    answer = client(url).responses.create(
        model="assistant", input="Hi", tools=[LOCATE], prompt_cache_key="k"
    )
    told = answer.model_dump(mode="json", exclude_unset=True)
    assert [told[name] for name in ("temperature", "top_p", "presence_penalty")] == [1, 1, 0]
    assert told["prompt_cache_key"] == "k"
    assert told["tools"] == [{"description": None, **LOCATE}]
    assert {"max_tool_calls", "safety_identifier", "frequency_penalty"} <= told.keys()
    with pytest.raises(openai.NotFoundError, match="compact"):
        client(url).post("/responses/compact", cast_to=object, body={"model": "assistant"})


def test_a_stream_ends_with_the_response_that_is_stored(url: str, vendor: Vendor) -> None:
    """Its events are numbered without a gap, and the client's own reader puts them together."""
    vendor.play(CALCULATE, Say("It is 42.", reasoning="Sure."))
    with client(url).responses.stream(model="assistant", input="6 * 7?") as stream:
        events: list[Any] = list(stream)
        final: Any = stream.get_final_response()
    kinds = [each.type for each in events]
    assert [each.sequence_number for each in events] == list(range(len(events)))
    assert kinds[:3] == ["response.created", "response.in_progress", "response.output_item.added"]
    assert kinds[-1] == "response.completed"
    assert kinds.count("response.output_text.delta") > 4
    assert [each.type for each in final.output] == ["message", "reasoning", "message"]
    assert final.output_text == "Let me see.It is 42."
    stored = client(url).responses.retrieve(final.id)
    assert [each.model_dump() for each in stored.output] == [
        each.model_dump(exclude={"content": {"__all__": {"parsed"}}}) for each in final.output
    ]


@pytest.mark.parametrize("stored", [True, False], ids=["stored", "replayed"])
@pytest.mark.parametrize("stream", [False, True], ids=["json", "sse"])
def test_a_tool_of_the_client_continues_the_same_turn(
    url: str, vendor: Vendor, stored: bool, stream: bool
) -> None:
    """By `previous_response_id`, or by sending all items again; the vendor is asked twice."""
    calls = Call(("locate", {}), ("calculator", {"expression": "6 * 7"}))
    before = vendor.play(calls, Say("42 in Rome."))
    items: list[Any] = [{"role": "user", "content": "Where?"}]
    options: dict[str, Any] = {"model": "assistant", "tools": [LOCATE], "store": stored}
    for _ in range(2):
        given: Any = {**options, "input": items}
        if stream:
            with client(url).responses.stream(**given) as events:
                made: Any = events.get_final_response()
        else:
            made = client(url).responses.create(**given)
        results = [
            {"type": "function_call_output", "call_id": each.call_id, "output": "Rome"}
            for each in made.output
            if each.type == "function_call"
        ]
        if stored:
            items, options["previous_response_id"] = results, made.id
        else:
            items += [each.model_dump(exclude_none=True) for each in made.output] + results
    assert made.output_text == "42 in Rome."
    _, second = sent(vendor, before)
    assert [content for role, content in second if role == "tool"] == ["Rome", "42"]
    assert made.turngraph["calls"] == 2


def test_a_conversation_goes_on_and_may_part(url: str, vendor: Vendor) -> None:
    """From its last response on the same thread, from an earlier one on a copy; instructions hold
    for one response only, and another model may go on.
    """
    before = vendor.play(*[Say(word) for word in ("one", "two", "three", "four")])
    asked = client(url)
    one = asked.responses.create(model="assistant", input="1", instructions="Rhyme.")
    two = asked.responses.create(model="assistant", input="2", previous_response_id=one.id)
    asked.responses.create(model="assistant", input="3", previous_response_id=one.id)
    asked.responses.create(model="other", input="4", previous_response_id=two.id)
    texts = [[content for _, content in each] for each in sent(vendor, before)]
    assert texts == [
        ["Rhyme.", "1"],
        ["1", "one", "2"],
        ["1", "one", "3"],
        ["1", "one", "2", "two", "4"],
    ]


def test_a_created_conversation_is_continued_by_its_name(url: str, vendor: Vendor) -> None:
    """By its account alone."""
    before = vendor.play(Say("one"), Say("two"))
    asked = client(url)
    made = asked.conversations.create(metadata={"topic": "x"})
    for text in ("1", "2"):
        asked.responses.create(model="assistant", input=text, conversation=made.id)
    assert [content for _, content in sent(vendor, before)[1]] == ["1", "one", "2"]
    with pytest.raises(openai.NotFoundError):
        client(url, "bolt").responses.create(model="assistant", input="?", conversation=made.id)
    with pytest.raises(openai.NotFoundError):
        client(url, "bolt").conversations.retrieve(made.id)
    assert asked.conversations.retrieve(made.id).metadata == {"topic": "x"}
    asked.conversations.delete(made.id)
    with pytest.raises(openai.NotFoundError):
        asked.responses.create(model="assistant", input="?", conversation=made.id)


def test_a_background_response_is_fetched_later(url: str, vendor: Vendor) -> None:
    """And cancelled while it runs; then it says so."""
    vendor.play(Hang(0.3, Say("late")), Hang(60))
    asked = client(url)
    made = asked.responses.create(model="assistant", input="?", background=True)
    assert made.status == "queued"
    assert until_ended(asked, made.id).output_text == "late"
    slow = asked.responses.create(model="assistant", input="?", background=True)
    while asked.responses.retrieve(slow.id).status == "queued" and vendor.steps_left:
        time.sleep(0.02)
    with pytest.raises(openai.NotFoundError):
        client(url, "bolt").responses.cancel(slow.id)
    assert asked.responses.cancel(slow.id).status == "cancelled"
    vendor.play(Say("now"))
    finished = asked.responses.create(model="assistant", input="?")
    with pytest.raises(openai.BadRequestError, match="background"):
        asked.responses.cancel(finished.id)


def until_ended(asked: openai.OpenAI, response_id: str) -> Any:
    ends_at = time.monotonic() + 60
    while (found := asked.responses.retrieve(response_id)).status in ("queued", "in_progress"):
        assert time.monotonic() < ends_at
        time.sleep(0.05)
    return found


def test_a_person_approves_with_the_apis_own_items(url: str, vendor: Vendor) -> None:
    """As for a remote MCP server: a request to approve, and the answer to it."""
    for approve, told in ((True, "42"), (False, "A person refused this call: no.")):
        before = vendor.play(CALCULATE, Say("So be it."))
        waiting: Any = client(url).responses.create(model="guarded", input="6 * 7?")
        question = waiting.output[-1]
        assert (question.type, question.name) == ("mcp_approval_request", "calculator")
        assert waiting.turngraph["status"] == "waiting_for_person"
        answer: Any = {
            "type": "mcp_approval_response",
            "approval_request_id": question.id,
            "approve": approve,
            "reason": "no",
        }
        made = client(url).responses.create(
            model="guarded", input=[answer], previous_response_id=waiting.id
        )
        assert made.output_text == "So be it."
        assert sent(vendor, before)[1][-1] == ("tool", told)


class Sum(BaseModel):
    value: int


def test_an_answer_has_the_form_that_was_asked_for(url: str, vendor: Vendor) -> None:
    """`parse` reads it, also where the model spoke before it called a tool."""
    before = vendor.play(CALCULATE, Say('{"value": 42}'), CALCULATE, Say('{"value": 42}'))
    made = client(url).responses.parse(model="assistant", input="?", text_format=Sum)
    assert made.output_parsed == Sum(value=42)
    with client(url).responses.stream(model="assistant", input="?", text_format=Sum) as stream:
        assert stream.get_final_response().output_parsed == Sum(value=42)
    assert vendor.requests[before].body["response_format"]["json_schema"]["name"] == "Sum"


async def test_the_async_client_reads_refusals(url: str, vendor: Vendor) -> None:
    """As content of their own kind."""
    vendor.play(Refuse("I will not."))
    async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="acme") as asked:
        stream = await asked.responses.create(model="assistant", input="?", stream=True)
        events: list[Any] = [each async for each in stream]
    assert events[-1].response.output[0].content[0].refusal == "I will not."


def test_another_model_answers_where_the_first_cannot(url: str, vendor: Vendor) -> None:
    """And the conversation goes on from its answer."""
    before = vendor.play(Fail(500), Say("Here I am."), Say("Still here."))
    made: Any = client(url).responses.create(model="first", input="1")
    assert (made.output_text, made.turngraph["model"]) == ("Here I am.", "other")
    client(url).responses.create(model="other", input="2", previous_response_id=made.id)
    assert [content for _, content in sent(vendor, before)[2]] == ["1", "Here I am.", "2"]


def test_what_fails_is_told_and_stored(url: str, vendor: Vendor) -> None:
    """With its true status; as an event of a stream that has begun; else in the body."""
    vendor.play(Fail(429, headers={"Retry-After": "3"}))
    with pytest.raises(openai.RateLimitError):
        client(url).responses.create(model="assistant", input="?")
    vendor.play(Cut(after=3))
    events = list(client(url).responses.create(model="assistant", input="?", stream=True))
    assert events[-1].type == "response.failed"
    vendor.play(Fail(400))
    made = client(url).responses.create(model="assistant", input="?", background=True)
    failed = until_ended(client(url), made.id)
    assert (failed.status, failed.error is not None) == ("failed", True)


def test_a_retried_request_gets_the_first_response(url: str, vendor: Vendor) -> None:
    """By its `Idempotency-Key`, whole or as a stream."""
    before = vendor.play(Say("one"), Say("two"))
    options: Any = {
        "model": "assistant",
        "input": "?",
        "extra_headers": {"Idempotency-Key": "r1"},
    }
    first = client(url).responses.create(**options)
    assert client(url).responses.create(**options) == first
    assert len(vendor.requests) == before + 1
    with pytest.raises(openai.UnprocessableEntityError):
        client(url).responses.create(**{**options, "input": "!"})


def test_a_retry_that_comes_too_early_is_not_the_result(url: str, vendor: Vendor) -> None:
    """It is refused; the first request ends as it would have, and a later retry gets its answer."""
    vendor.play(Say("late"))
    options: Any = {
        "model": "assistant",
        "input": "?",
        "extra_headers": {"Idempotency-Key": "early"},
    }
    asked, before = client(url), vendor.asked
    vendor.held = True
    with ThreadPoolExecutor(1) as pool:
        try:
            first = pool.submit(lambda: asked.responses.create(**options))
            while vendor.asked == before and not first.done():
                time.sleep(0.01)
            # Twice: the second one would be answered with what the first one had stored.
            for _ in range(2):
                with pytest.raises(openai.ConflictError):
                    asked.responses.create(**options)
        finally:
            vendor.held = False
    assert first.result().output_text == "late"
    assert asked.responses.create(**options) == first.result()


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"input": 3}, "input"),
        ({"input": [{"role": "user", "content": "Hi"}, None]}, "input[1]"),
        ({"input": ["Hi"]}, "input[0]"),
        ({"input": [{"type": "item_reference"}]}, "input"),
        ({"input": [{"type": "item_reference", "id": None}]}, "input"),
        ({"input": [{"type": None}]}, "input"),
        ({"input": [{}]}, "input"),
        ({"input": [{"role": "owl", "content": ""}]}, "input"),
        ({"input": [{"type": "message", "role": "assistant", "content": [7]}]}, "input"),
        ({"tools": [{"type": "web_search"}]}, "tools[0]"),
        ({"max_output_tokens": "x"}, "max_output_tokens"),
        ({"reasoning": {"summary": "loud"}}, "reasoning.summary"),
        ({"background": True, "store": False}, "background"),
        ({"previous_response_id": "resp_x"}, "previous_response_id"),
        ({"previous_response_id": ""}, "previous_response_id"),
        ({"conversation": "conv_x"}, "conversation"),
        ({"conversation": {}}, "conversation"),
        ({"conversation": {"id": ""}}, "conversation"),
        ({"conversation": ""}, "conversation"),
        ({"prompt": {"id": "p"}}, "prompt"),
        ({"text": {"format": 3}}, "text.format"),
    ],
)
def test_a_wrong_request_is_told_what_is_wrong(url: str, body: Any, param: str) -> None:
    """Before any vendor is asked."""
    answer = httpx2.post(
        f"{url}/v1/responses",
        json={"model": "assistant", "input": "?", **body},
        headers={"authorization": "Bearer acme"},
    )
    assert answer.status_code in (400, 404)
    assert answer.json()["error"]["param"] == param


def abandoned(
    letter: str, body: dict[str, Any], *, status: str, messages: int = 1, key_id: str = "key-1"
) -> ResponseRow:
    """A background response of `acme` that its process has left long ago, on a thread of its own
    that is to have so many messages.
    """
    return ResponseRow(
        "resp_" + letter * 24, "acme", key_id, ("models",), ("assistant",), "assistant",
        f"acme/responses/{letter}", f"acme/{letter}", status, True, False, True, time.time(), 1.0,
        messages, messages, body, None,
    )  # fmt: skip


def test_a_response_of_a_killed_server_is_finished_by_the_next(
    vendor: Vendor, tmp_path: Path
) -> None:
    """It is not asked, and not billed, a second time for what it has paid for; the key that asked
    for it pays.
    """
    config = configuration(vendor, tmp_path)
    vendor.play(Say("after all"))
    body = {"model": "assistant", "input": "?", "background": True}
    row = abandoned("a", body, status="in_progress")
    assert config.store.database is not None
    with Ledger(config.store.database) as ledger:
        ledger.store.run(create_server_tables)
        ledger.store.run(add_response, row)
    with serving(config) as served:
        assert until_ended(client(served), row.response_id).output_text == "after all"
    with Ledger(config.store.database) as ledger:
        assert [each.value for each in ledger.spending("api_key_id")] == ["key-1"]


def test_a_response_that_was_to_be_cancelled_is_not_started_again(
    vendor: Vendor, tmp_path: Path
) -> None:
    """Though the process that was asked to cancel it has died."""
    config = configuration(vendor, tmp_path)
    before = vendor.play(Say("unasked"))
    body = {"model": "assistant", "input": "?", "background": True}
    row = abandoned("c", body, status="cancelling")
    assert config.store.database is not None
    with Ledger(config.store.database) as ledger:
        ledger.store.run(create_server_tables)
        ledger.store.run(add_response, row)
    with serving(config) as served:
        assert until_ended(client(served), row.response_id).status == "cancelled"
    assert sent(vendor, before) == []


def test_a_response_whose_key_was_revoked_is_not_taken_over(vendor: Vendor, tmp_path: Path) -> None:
    """It ends, and says why; nobody is asked."""
    config = configuration(vendor, tmp_path)
    before = vendor.play(Say("stolen"))
    body = {"model": "assistant", "input": "?", "background": True}
    assert config.store.database is not None
    with Ledger(config.store.database) as ledger:
        ledger.store.run(create_server_tables)
        made = ledger.store.run(
            create_key, account="acme", name="", scopes=("models",), models=None, valid_s=None
        )
        key_id = made.record.key_id
        ledger.store.run(revoke_key, key_id)
        row = abandoned("d", body, status="queued", key_id=key_id)
        ledger.store.run(add_response, row)
    with serving(config) as served:
        ended = until_ended(client(served), row.response_id)
    assert (ended.status, "revoked" in ended.error.message) == ("failed", True)
    assert sent(vendor, before) == []


def test_a_part_of_a_conversation_keeps_its_history_when_its_server_is_killed(
    vendor: Vendor, tmp_path: Path
) -> None:
    """The copy of the conversation was not stored yet, and is made again."""
    config = configuration(vendor, tmp_path)
    before = vendor.play(*[Say(word) for word in ("one", "two", "three", "four")])
    with serving(config) as served:
        asked = client(served)
        one = asked.responses.create(model="assistant", input="1")
        asked.responses.create(model="assistant", input="2", previous_response_id=one.id)
    body = {
        "model": "assistant",
        "input": "3",
        "background": True,
        "previous_response_id": one.id,
    }
    row = abandoned("b", body, status="queued", messages=3)
    assert config.store.database is not None
    with Ledger(config.store.database) as ledger:
        ledger.store.run(add_response, row)
    with serving(config) as served:
        assert until_ended(client(served), row.response_id).output_text == "three"
        follow = client(served).responses.create(
            model="assistant", input="4", previous_response_id=row.response_id
        )
    texts = [[content for _, content in each] for each in sent(vendor, before)]
    assert texts[2:] == [["1", "one", "3"], ["1", "one", "3", "three", "4"]]
    assert follow.status == "completed"


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_a_stream_that_outlives_the_drain_ends_with_an_error(api: str) -> None:
    """Its client is told why, instead of a connection that breaks off."""
    path, given = ("chat/completions", "messages") if api == "chat" else ("responses", "input")
    with Vendor([Say("word " * 9_000)], delay_s=0.01) as slow:
        config = config_of({"assistant": model_config(slow)}, drain_seconds=0.0)
        app = create_app(config, callers=PlainCallers())
        body = {"model": "assistant", given: [{"role": "user", "content": "?"}], "stream": True}
        with (
            running(app) as served,
            httpx2.stream(
                "POST",
                f"{served}/v1/{path}",
                json=body,
                headers={"authorization": "Bearer acme"},
                timeout=60,
            ) as answer,
        ):
            lines = answer.iter_lines()
            assert any("word" in line for line in lines)
            app.state.service.signals.stopped_at = time.monotonic()
            assert any('"code":"server_stopping"' in line for line in lines)


def test_a_database_of_an_earlier_version_is_brought_up_to_date(tmp_path: Path) -> None:
    """Its responses have no key, and new ones are stored with theirs."""
    with Ledger(f"sqlite:///{tmp_path}/old.db") as ledger:
        ledger.store.run(create_server_tables)

        def to_version_2(tx: LedgerTransaction) -> None:
            for column in ("api_key_id", "scopes", "models"):
                tx.conn.execute(sql(f"ALTER TABLE server_response DROP COLUMN {column}"))
            tx.conn.execute(sql("DELETE FROM server_schema WHERE version > 2"))

        ledger.store.run(to_version_2)
        ledger.store.run(create_server_tables)
        row = ResponseRow(
            "resp_1", "acme", "key-1", ("models",), None, "m", "t", "u", "completed",
            True, False, False, 1.0, 1.0, 1, 1, {}, None,
        )  # fmt: skip
        ledger.store.run(add_response, row)
        assert ledger.store.read(find_response, "acme", "resp_1") == row


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"items": {}}, "items"),
        ({"items": [{"role": "user", "content": "Hi"}]}, "items"),
        ({"metadata": []}, "metadata"),
        ({"metadata": {"a": 1}}, "metadata.a"),
    ],
)
def test_a_wrong_conversation_is_told_what_is_wrong(url: str, body: Any, param: str) -> None:
    """As a wrong response is, so that what is stored can be shown as the API describes it."""
    headers = {"authorization": "Bearer acme"}
    answer = httpx2.post(f"{url}/v1/conversations", json=body, headers=headers)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


@pytest.mark.parametrize(
    "member",
    [{"metadata": 5}, {"metadata": {"a": 1}}, {"user": []}, {"truncation": {}}],
)
def test_what_a_response_repeats_is_of_the_type_that_clients_expect(
    url: str, vendor: Vendor, member: dict[str, Any]
) -> None:
    """A request with another one is refused by name, before anybody is asked."""
    before = len(vendor.requests)
    with pytest.raises(openai.BadRequestError) as refused:
        client(url).responses.create(model="assistant", input="?", extra_body=member)
    assert next(iter(member)) in str(refused.value.param)
    assert len(vendor.requests) == before
