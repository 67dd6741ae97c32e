"""What is stored of requests: their answers for retries, and how those end that were interrupted.

Two servers on one database stand for two processes, or for one before and after it was killed.
"""

import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import groupby
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest

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
from turngraph.interfaces.server.app import create_app
from turngraph.interfaces.server.config import FallbackConfig, ServerConfig, StoreSettings
from turngraph.interfaces.server.tables import response_t
from turngraph.scripted import Call, Fail, Say
from turngraph.state.limits import TurnLimits

TOOL: dict[str, Any] = {"name": "locate", "parameters": {"type": "object", "properties": {}}}
TOOLS: dict[str, Any] = {
    "chat": [{"type": "function", "function": TOOL}],
    "responses": [{"type": "function", "strict": False, **TOOL}],
}
LONG = "a-model-with-a-name-that-is-longer-than-the-id-of-a-row-could-ever-be"
APIS = pytest.mark.parametrize("api", ["chat", "responses"])


def configuration(vendor: Vendor, folder: Path, **server: Any) -> ServerConfig:
    once = TurnLimits(attempts=1)
    behind = (FallbackConfig(model="other", on=("server",)),)
    models = {
        "assistant": model_config(vendor, limits=once, functions=("calculator",)),
        "other": model_config(vendor, limits=once),
        "first": model_config(vendor, limits=once, fallbacks=behind, functions=("calculator",)),
        f"{LONG}-1": model_config(vendor),
        f"{LONG}-2": model_config(vendor),
        "cold": model_config(
            vendor,
            limits=once,
            provider={"temperature": 0.2, "top_p": 0.5, "max_tokens": 77},
        ),
    }
    store = StoreSettings(database=f"sqlite:///{folder}/turns.db", lease_seconds=2.0)
    config = config_of(models, **{"sweep_seconds": 0.3, **server})
    return ServerConfig(server=config.server, store=store, models=config.models)


@pytest.fixture(scope="module")
def config(vendor: Vendor, tmp_path_factory: pytest.TempPathFactory) -> ServerConfig:
    return configuration(vendor, tmp_path_factory.mktemp("server"))


def rows(config: ServerConfig) -> dict[str, Any]:
    assert config.store.database is not None
    with Ledger(config.store.database) as ledger:
        found = ledger.store.read(lambda tx: tx.conn.execute(response_t.select()).all())
    return {row.response_id: row for row in found}


def change(config: ServerConfig, response_id: str, **values: Any) -> None:
    assert config.store.database is not None
    with Ledger(config.store.database) as ledger:
        where = response_t.c.response_id == response_id
        ledger.store.run(
            lambda tx: tx.conn.execute(response_t.update().where(where).values(**values))
        )


def ask(url: str, api: str, key: str | None, body: dict[str, Any], *, stream: bool = False) -> Any:
    """The whole answer, however it was sent."""
    headers = {} if key is None else {"Idempotency-Key": key}
    options: Any = {"extra_headers": headers, **body}
    if api == "chat":
        if not stream:
            return client(url).chat.completions.create(**options)
        with client(url).chat.completions.stream(**options) as events:
            list(events)
            return events.get_final_completion()
    if not stream:
        return client(url).responses.create(**options)
    with client(url).responses.stream(**options) as events:
        list(events)
        return events.get_final_response()


def ask_again(url: str, api: str, key: str, body: dict[str, Any]) -> Any:
    """The answer, or None while another process looks after the request."""
    try:
        return ask(url, api, key, body)
    except openai.ConflictError:
        return None


def question(api: str, text: str = "?", model: str = "assistant", **more: Any) -> dict[str, Any]:
    member = "messages" if api == "chat" else "input"
    return {"model": model, member: [{"role": "user", "content": text}], **more}


def said(api: str, answer: Any) -> str:
    return str(answer.choices[0].message.content if api == "chat" else answer.output_text)


def call_of(api: str, answer: Any) -> Any:
    """The one call that the client is asked to run."""
    if api == "chat":
        [call] = answer.choices[0].message.tool_calls
        return call.function
    [call] = [each for each in answer.output if each.type == "function_call"]
    return call


def id_of_call(api: str, answer: Any) -> str:
    if api == "chat":
        return str(answer.choices[0].message.tool_calls[0].id)
    return str(call_of(api, answer).call_id)


def with_result(api: str, body: dict[str, Any], answer: Any) -> dict[str, Any]:
    """The request that brings the result of the client's tool."""
    name = id_of_call(api, answer)
    if api == "chat":
        message = answer.choices[0].message.model_dump(exclude_none=True)
        result = {"role": "tool", "tool_call_id": name, "content": "Rome"}
        return {**body, "messages": [*body["messages"], message, result]}
    item = {"type": "function_call_output", "call_id": name, "output": "Rome"}
    return {**body, "input": [item], "previous_response_id": answer.id}


def asked_since(vendor: Vendor, before: int) -> list[list[Any]]:
    return [
        [message.get("content") for message in each.body["messages"]]
        for each in vendor.requests[before:]
    ]


def until(happened: Any) -> Any:
    ends_at = time.monotonic() + 60
    while not (found := happened()):
        assert time.monotonic() < ends_at
        time.sleep(0.05)
    return found


@APIS
@pytest.mark.parametrize("stream", [False, True], ids=["json", "sse"])
def test_a_retried_follow_up_gets_the_first_answer(
    url: str, other_url: str, config: ServerConfig, vendor: Vendor, api: str, stream: bool
) -> None:
    """From any process, whole or as a stream, also where a process died between the end of the turn
    and the note of its answer. The request before it keeps its own answer; nobody is asked again.
    """
    key = f"follow-{api}-{stream}"
    before = vendor.play(Call(("locate", {})), Say("In Rome."), Say("Unasked."))
    begin = question(api, tools=TOOLS[api])
    first = ask(url, api, f"{key}-1", begin, stream=stream)
    follow = with_result(api, begin, first)
    answers = [ask(url, api, f"{key}-2", follow, stream=stream)]
    assert said(api, answers[0]) == "In Rome."
    whole = ask(other_url, api, f"{key}-2", follow)
    answers += [ask(other_url, api, f"{key}-2", follow, stream=True), whole]
    name = next(
        each
        for each, row in rows(config).items()
        if row.resumes is not None and row.body is not None and whole.id in row.body
    )
    change(config, name, status="in_progress", seen=0.0, body=None)
    answers.append(until(lambda: ask_again(other_url, api, f"{key}-2", follow)))
    assert {said(api, each) for each in answers} == {"In Rome."}
    assert answers[-1].turngraph == whole.turngraph
    again = ask(other_url, api, f"{key}-1", begin)
    assert call_of(api, again).name == call_of(api, first).name == "locate"
    assert id_of_call(api, again) == id_of_call(api, first)
    for wrong in (question(api, "!"), {**follow, "model": "other"}):
        with pytest.raises(openai.UnprocessableEntityError):
            ask(url, api, f"{key}-2", wrong)
    assert len(vendor.requests) == before + 2


def test_a_replayed_stream_has_the_events_of_a_stream(url: str, vendor: Vendor) -> None:
    """Clients that show what comes, and not the whole response at the end, show the same."""
    step = Call(("locate", {"a": 1}), text="Let me see.", reasoning="Where?")
    vendor.play(step)
    body = question("responses", tools=TOOLS["responses"], stream=True)
    told: list[list[Any]] = []
    for _ in range(2):
        stream = client(url).responses.create(**body, extra_headers={"Idempotency-Key": "events"})
        told.append(list(stream))
    first, again = told
    assert [each.sequence_number for each in again] == list(range(len(again)))
    # A replay has each text in one piece.
    kinds = [[kind for kind, _ in groupby(each.type for each in events)] for events in told]
    assert kinds[0] == kinds[1]
    assert again[-1].response == first[-1].response
    assert [each.item for each in again if each.type == "response.output_item.done"] == [
        each.item for each in first if each.type == "response.output_item.done"
    ]


@APIS
def test_a_follow_up_that_comes_twice_at_once_runs_once(
    url: str, other_url: str, vendor: Vendor, api: str
) -> None:
    """The second one is told to wait, and then gets the same answer."""
    before = vendor.play(Call(("locate", {})), Say("In Rome."))
    begin = question(api, tools=TOOLS[api])
    follow = with_result(api, begin, ask(url, api, None, begin))
    vendor.held = True
    with ThreadPoolExecutor(1) as pool:
        try:
            first = pool.submit(ask, url, api, f"twice-{api}", follow)
            until(lambda: vendor.asked > before + 1 or first.done())
            for each in (url, other_url):
                with pytest.raises(openai.ConflictError) as caught:
                    ask(each, api, f"twice-{api}", follow)
                assert caught.value.response.headers["retry-after"] == "1"
        finally:
            vendor.held = False
    assert said(api, first.result()) == "In Rome."
    assert ask(other_url, api, f"twice-{api}", follow).id == first.result().id
    assert len(vendor.requests) == before + 2


@APIS
@pytest.mark.parametrize("stream", [False, True], ids=["json", "sse"])
def test_a_retried_request_fails_as_it_did(
    url: str, other_url: str, vendor: Vendor, api: str, stream: bool
) -> None:
    """With its status, in place of a 200 around a failed response; no client tries on in vain."""
    key, body = f"failed-{api}-{stream}", question(api)
    for n, (step, kind) in enumerate(
        ((Fail(400), openai.BadRequestError), (Fail(503), openai.InternalServerError))
    ):
        before = vendor.play(step, Say("Unasked."))
        told = []
        for each in (url, other_url, url):
            with pytest.raises(kind) as caught:
                ask(each, api, f"{key}-{n}", body, stream=stream)
            told.append(caught.value)
        assert len({each.message for each in told}) == 1
        assert {each.response.headers.get("x-should-retry") for each in told[1:]} == {"false"}
        assert len(vendor.requests) == before + 1


@APIS
def test_a_client_that_leaves_gets_its_answer_when_it_comes_again(
    url: str, vendor: Vendor, api: str
) -> None:
    """A key is a promise to come again, so the turn goes on for it; it is billed once."""
    before = vendor.play(Say("Still here."))
    body, key = question(api), f"left-{api}"
    vendor.held = True
    try:
        hasty = client(url).with_options(timeout=1.0)
        call = hasty.chat.completions.create if api == "chat" else hasty.responses.create
        with pytest.raises(openai.APITimeoutError):
            call(**body, extra_headers={"Idempotency-Key": key})
    finally:
        vendor.held = False

    assert said(api, until(lambda: ask_again(url, api, key, body))) == "Still here."
    assert len(vendor.requests) == before + 1


def test_what_is_refused_leaves_no_response_behind(
    url: str, config: ServerConfig, vendor: Vendor
) -> None:
    """In a conversation where another response runs; its key is free for the next try."""
    vendor.play(Say("one"), Say("two"))
    conversation = client(url).conversations.create().id
    before, known = vendor.asked, set(rows(config))
    body = {"model": "assistant", "input": "1", "conversation": conversation}
    vendor.held = True
    with ThreadPoolExecutor(1) as pool:
        try:
            first = pool.submit(ask, url, "responses", None, body)
            until(lambda: vendor.asked > before or first.done())
            for key in (None, "refused"):
                with pytest.raises(openai.ConflictError):
                    ask(url, "responses", key, {**body, "input": "2"})
        finally:
            vendor.held = False
    assert first.result().output_text == "one"
    assert set(rows(config)) - known == {first.result().id}
    assert ask(url, "responses", "refused", {**body, "input": "2"}).output_text == "two"


@APIS
def test_what_found_no_place_leaves_its_key_free(vendor: Vendor, tmp_path: Path, api: str) -> None:
    """Also of a model that others stand behind; the next try is the first."""
    config = configuration(vendor, tmp_path, turns_at_once=1, queue=0)
    vendor.play(Say("one"), Fail(500), Say("two"))
    with serving(config) as served, ThreadPoolExecutor(1) as pool:
        before = vendor.asked
        vendor.held = True
        try:
            first = pool.submit(ask, served, api, None, question(api))
            until(lambda: vendor.asked > before or first.done())
            for _ in range(2):
                with pytest.raises(openai.InternalServerError) as caught:
                    ask(served, api, "no-place", question(api, model="first"))
                assert caught.value.status_code == 503
            known = set(rows(config))
            with pytest.raises(openai.InternalServerError):
                ask(served, api, None, question(api, tools=TOOLS[api]))
            assert set(rows(config)) == known
        finally:
            vendor.held = False
        assert said(api, first.result()) == "one"
        assert said(api, ask(served, api, "no-place", question(api, model="first"))) == "two"


@APIS
def test_what_a_stopped_server_did_not_finish_goes_on_in_the_next(
    vendor: Vendor, tmp_path: Path, api: str
) -> None:
    """A retry with its key gets the answer; whoever asks for the response before is told."""
    config = configuration(vendor, tmp_path, drain_seconds=0.0)
    before = vendor.play(Say("after all"), Say("after all"))
    body = question(api)
    vendor.held = True
    with ThreadPoolExecutor(1) as pool:
        try:
            app = create_app(config, callers=PlainCallers())
            with running(app) as served:
                count = vendor.asked
                first = pool.submit(ask, served, api, "stopped", body)
                until(lambda: vendor.asked > count or first.done())
                app.state.service.signals.stopped_at = time.monotonic()
            with pytest.raises((openai.APIConnectionError, openai.InternalServerError)):
                first.result()
        finally:
            vendor.held = False
    with serving(config) as served:
        if api == "responses":
            [name] = rows(config)
            found = client(served).responses.retrieve(name)
            assert found.error is not None
            assert (found.status, found.error.code) == ("failed", "server_stopping")
        assert said(api, ask(served, api, "stopped", body)) == "after all"
        assert said(api, ask(served, api, "stopped", body)) == "after all"
        if api == "responses":
            assert client(served).responses.retrieve(name).status == "completed"
    assert len(vendor.requests) <= before + 2


def test_a_response_of_a_dead_process_ends(url: str, config: ServerConfig, vendor: Vendor) -> None:
    """By whichever process comes next, as failed, with a sentence; its key still leads on."""
    before = vendor.play(Say("whole"))
    body = question("responses")
    made = ask(url, "responses", "dead", body)
    change(config, made.id, status="in_progress", seen=1.0, body=None)
    found = until(
        lambda: (each := client(url).responses.retrieve(made.id)).status != "in_progress" and each
    )
    assert (found.status, "died before it ended" in found.error.message) == ("failed", True)
    again = until(lambda: ask_again(url, "responses", "dead", body))
    assert again.output_text == "whole"
    assert len(vendor.requests) == before + 1


def test_a_slow_process_that_was_taken_for_dead_stores_the_answer_that_it_gives(
    url: str, config: ServerConfig, vendor: Vendor
) -> None:
    """So a retry gets that answer too, even where the turn has gone on with another request."""
    before = vendor.play(Call(("locate", {})), Say("In Rome."))
    asked, begin = vendor.asked, question("responses", tools=TOOLS["responses"])
    vendor.held = True
    with ThreadPoolExecutor() as clients:
        try:
            answer = clients.submit(ask, url, "responses", "slow-1", begin)
            until(lambda: vendor.asked > asked)
            name = next(each for each, row in rows(config).items() if row.status == "in_progress")
            change(config, name, status="interrupted", owner="another", body="{}")
        finally:
            vendor.held = False
        first = answer.result()
    follow = with_result("responses", begin, first)
    assert ask(url, "responses", "slow-2", follow).output_text == "In Rome."
    again = ask(url, "responses", "slow-1", begin)
    assert id_of_call("responses", again) == id_of_call("responses", first)
    assert len(vendor.requests) == before + 2


def test_a_response_whose_model_is_gone_ends_with_a_sentence(
    url: str, config: ServerConfig, vendor: Vendor
) -> None:
    """It is not tried again and again."""
    vendor.play(Say("whole"))
    made = client(url).responses.create(**question("responses"), background=True)
    until(lambda: client(url).responses.retrieve(made.id).status == "completed")
    change(config, made.id, status="in_progress", seen=1.0, body=None, model="gone")
    found = until(lambda: (row := rows(config)[made.id]).status == "failed" and row)
    assert "There is no model `gone`" in found.body


def test_another_model_answers_within_a_conversation(url: str, vendor: Vendor) -> None:
    """In a created one and after an earlier response, and the next turn knows what it said."""
    for start in ({"conversation": client(url).conversations.create().id}, {}):
        before = vendor.play(Say("one"), Fail(500), Say("two"), Say("three"))
        asked = client(url).responses
        given: dict[str, Any] = start
        for text in ("1", "2", "3"):
            made: Any = asked.create(model="first", input=text, **given)
            given = start or {"previous_response_id": made.id}
        texts = asked_since(vendor, before)
        assert texts[2] == ["1", "one", "2"]
        assert texts[3] == ["1", "one", "2", "two", "3"]
        assert made.output_text == "three"


def test_another_model_goes_on_after_tools_have_run(url: str, vendor: Vendor) -> None:
    """In a conversation what the first model has found out is there already."""
    conversation = client(url).conversations.create().id
    call = Call(("calculator", {"expression": "6 * 7"}))
    before = vendor.play(call, Fail(500), Say("It is 42."), Say("Yes."))
    asked = client(url).responses
    made = asked.create(model="first", input="6 * 7?", conversation=conversation)
    assert made.output_text == "It is 42."
    asked.create(model="first", input="Sure?", conversation=conversation)
    assert asked_since(vendor, before)[3][-2:] == ["It is 42.", "Sure?"]


@APIS
def test_a_follow_up_finds_the_model_that_has_answered(url: str, vendor: Vendor, api: str) -> None:
    """Which is not the one that was asked."""
    before = vendor.play(Fail(500), Call(("locate", {})), Say("In Rome."))
    begin = question(api, model="first", tools=TOOLS[api])
    follow = with_result(api, begin, ask(url, api, None, begin))
    answer = ask(url, api, None, follow)
    assert (said(api, answer), answer.turngraph["model"]) == ("In Rome.", "other")
    assert answer.turngraph["calls"] == 2
    assert len(vendor.requests) == before + 3


def test_another_model_answers_after_a_take_over(
    url: str, config: ServerConfig, vendor: Vendor
) -> None:
    """As it would have before."""
    vendor.play(Fail(400))
    made = client(url).responses.create(**question("responses", model="first"), background=True)
    until(lambda: client(url).responses.retrieve(made.id).status == "failed")
    vendor.play(Fail(500), Say("Here I am."))
    change(
        config, made.id, status="in_progress", seen=1.0, body=None, error=None, turn_id="acme/anew"
    )
    found: Any = until(
        lambda: (each := client(url).responses.retrieve(made.id)).status == "completed" and each
    )
    assert (found.output_text, found.turngraph["model"]) == ("Here I am.", "other")


def test_models_with_long_names_do_not_share_a_row(
    url: str, config: ServerConfig, vendor: Vendor
) -> None:
    """Each of their threads is deleted when it is old."""
    known = set(rows(config))
    for n in (1, 2):
        vendor.play(Call(("locate", {})))
        ask(url, "chat", None, question("chat", model=f"{LONG}-{n}", tools=TOOLS["chat"]))
    new = [row for name, row in rows(config).items() if name not in known]
    assert len({row.thread for row in new}) == 2


@pytest.mark.parametrize("stream", [False, True], ids=["json", "sse"])
def test_a_response_says_what_its_model_was_asked_with(
    url: str, vendor: Vendor, stream: bool
) -> None:
    """The configuration's parameters, unless the request has its own."""
    before = vendor.play(Say("ok"), Say("ok"))
    body = question("responses", model="cold")
    made = ask(url, "responses", None, body, stream=stream)
    assert (made.temperature, made.top_p, made.max_output_tokens) == (0.2, 0.5, 77)
    assert vendor.requests[before].body["temperature"] == 0.2
    own = ask(url, "responses", None, {**body, "temperature": 0.0}, stream=stream)
    assert (own.temperature, own.top_p) == (0.0, 0.5)


def test_a_deleted_response_leaves_nothing(url: str, config: ServerConfig, vendor: Vendor) -> None:
    """Neither its row nor what its turn, which still ran, would have written."""
    vendor.play(Say("secret"))
    before = vendor.asked
    vendor.held = True
    try:
        made = client(url).responses.create(**question("responses"), background=True)
        until(lambda: vendor.asked > before)
        thread = rows(config)[made.id].thread
        client(url).responses.delete(made.id)
    finally:
        vendor.held = False
    with pytest.raises(openai.NotFoundError):
        client(url).responses.retrieve(made.id)
    reader = {"authorization": "Bearer watcher"}
    until(lambda: "turns_running 0.0" in httpx2.get(f"{url}/metrics", headers=reader).text)
    assert made.id not in rows(config)
    file = str(config.store.database).removeprefix("sqlite:///").replace(".db", "-threads.db")
    with closing(sqlite3.connect(file)) as threads:
        count = "SELECT count(*) FROM checkpoints WHERE thread_id = ?"
        assert threads.execute(count, (thread,)).fetchone() == (0,)


def test_a_response_that_another_process_takes_too_early_is_not_ended(
    url: str, config: ServerConfig, vendor: Vendor
) -> None:
    """Where its own process was too slow to say that it lives, it goes on, and nobody is asked
    twice.
    """
    before = vendor.play(Say("whole"), Say("unasked"))
    asked = vendor.asked
    vendor.held = True
    try:
        made = client(url).responses.create(**question("responses"), background=True)
        until(lambda: vendor.asked > asked)
        change(config, made.id, owner="another", seen=time.time())
        time.sleep(2.5)  # the process looks every second whether it shall end what it runs
    finally:
        vendor.held = False
    found = until(
        lambda: (each := client(url).responses.retrieve(made.id)).status != "in_progress" and each
    )
    assert found.output_text == "whole"
    assert len(vendor.requests) == before + 1


@APIS
def test_a_key_of_what_was_deleted_has_no_answer(url: str, vendor: Vendor, api: str) -> None:
    """It is refused, and what was deleted does not come back; so is a key that is none."""
    vendor.play(Say("gone"), Say("unasked"))
    body = question(api)
    if api == "responses":
        made = ask(url, api, "deleted", body)
        client(url).responses.delete(made.id)
        for _ in range(2):
            with pytest.raises(openai.UnprocessableEntityError):
                ask(url, api, "deleted", body)
            with pytest.raises(openai.NotFoundError):
                client(url).responses.retrieve(made.id)
    with pytest.raises(openai.BadRequestError, match="empty"):
        ask(url, api, "", body)
