"""Sentences of `docs/testing.md` that no other test is about."""

import http.client
import json
from collections.abc import Mapping
from typing import Any

import pytest

from turngraph.scripted import Answer, Fail, Hang, Prompt, Raw, Say, ScriptedModel

HI: Mapping[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}


def posted(model: ScriptedModel, body: str) -> tuple[int, Any]:
    """Status and JSON of an answer to a request without any key."""
    connection = http.client.HTTPConnection("127.0.0.1", model.port, timeout=60)
    connection.request("POST", "/v1/chat/completions", body)
    reply = connection.getresponse()
    found = reply.status, json.load(reply)
    connection.close()
    return found


def test_testing_the_scripted_model_needs_no_key_and_listens_on_loopback_alone() -> None:
    """docs/testing.md: no key, no network."""
    with ScriptedModel() as model:
        assert model.base_url == f"http://127.0.0.1:{model.port}/v1"
        assert posted(model, json.dumps(HI))[0] == 200


def test_testing_a_request_is_kept_byte_for_byte() -> None:
    """docs/testing.md: what a JSON reader would lose (blanks, a member's place) is there too."""
    body = '{ "messages":[{"content":"Hi",  "role":"user"}] ,"model":"m"}\n'
    with ScriptedModel() as model:
        posted(model, body)
        assert model.requests[0].content == body.encode()


def test_testing_a_responder_answers_what_the_script_does_not() -> None:
    """docs/testing.md: a function from a `Prompt` to an `Answer`, behind the last step."""

    def shout(prompt: Prompt) -> Answer:
        return Say(prompt.messages[-1].text.upper())

    with ScriptedModel([Say("scripted")], responder=shout) as model:
        answers = [posted(model, json.dumps(HI))[1] for _ in range(2)]
    said = [answer["choices"][0]["message"]["content"] for answer in answers]
    assert said == ["scripted", "HI"]


WRONG = json.dumps({**HI, "temperature": "hot"})


@pytest.mark.parametrize(
    "step", [Say("a"), Hang(0.01, Say("a")), lambda request: Say("b")], ids=["say", "hang", "call"]
)
def test_testing_a_refused_request_uses_up_no_step(step: Any) -> None:
    """docs/testing.md: a request that the vendor would refuse is refused."""
    with ScriptedModel([step]) as model:
        status, answer = posted(model, WRONG)
        assert (status, answer["error"]["param"]) == (400, "temperature")
        assert model.steps_left == 1


@pytest.mark.parametrize("step", [Fail(503), Raw("{}", status=503)], ids=["fail", "raw"])
def test_testing_a_vendor_in_trouble_reads_no_request(step: Any) -> None:
    """docs/testing.md: `Fail` and `Raw` are sent whatever the request holds."""
    with ScriptedModel([step]) as model:
        assert posted(model, WRONG)[0] == 503
        assert model.steps_left == 0
