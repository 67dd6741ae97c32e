"""What one account has at the server is not there for another, whatever it asks for."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import openai
import pytest

from tests.interfaces.server.serving import (
    PlainCallers,
    Vendor,
    client,
    config_of,
    model_config,
    serving,
)
from turngraph.interfaces.server.caller import Caller
from turngraph.scripted import Call, Say

WORD = "planted-word"
LOCATE: Any = {
    "type": "function",
    "function": {"name": "locate", "parameters": {"type": "object", "properties": {}}},
}
LOOKALIKES = ["evil", "acme/small", "acme%2Fsmall", "ACME", "acme/"]
"""Accounts whose names could be taken for acme's, or for one of its threads."""

KEYS = {
    "acme-second": Caller("acme", "k-2", frozenset({"models", "tools"})),
    "acme-big": Caller("acme", "k-3", frozenset({"models"}), frozenset({"big"})),
    "acme-reports": Caller("acme", "k-4", frozenset({"reports", "passthrough", "studio"})),
}
"""Further keys of acme's: one like its first, one for another model, and one for no model."""


class Owned(NamedTuple):
    """What acme has stored at the server."""

    url: str
    vendor: Vendor
    response: str
    conversation: str
    call: Any
    """A message with a call of a tool of acme's, for which a turn waits."""


@pytest.fixture(scope="module")
def owned() -> Iterator[Owned]:
    with Vendor() as vendor:
        models = {"small": model_config(vendor), "big": model_config(vendor)}
        config = config_of(models)
        with serving(config, callers=PlainCallers(KEYS)) as url:
            yield from _owned(url, vendor)


def _owned(url: str, vendor: Vendor) -> Iterator[Owned]:
    acme = client(url, "acme")
    vendor.play(Say(f"Hello {WORD}"), Say(f"Hello {WORD}"), Call(("locate", {})))
    response = acme.responses.create(model="small", input=WORD)
    conversation = acme.conversations.create()
    acme.responses.create(model="small", input=WORD, conversation=conversation.id)
    asked: Any = acme.chat.completions.create(
        model="small", messages=[{"role": "user", "content": WORD}], tools=[LOCATE]
    )
    message = asked.choices[0].message.model_dump(exclude_none=True)
    yield Owned(url, vendor, response.id, conversation.id, message)


OTHERS: dict[str, Callable[[openai.OpenAI, Owned], Any]] = {
    "retrieve": lambda other, owned: other.responses.retrieve(owned.response),
    "input": lambda other, owned: other.responses.input_items.list(owned.response),
    "delete": lambda other, owned: other.responses.delete(owned.response),
    "cancel": lambda other, owned: other.responses.cancel(owned.response),
    "continue": lambda other, owned: other.responses.create(
        model="small", input="Go on.", previous_response_id=owned.response
    ),
    "retrieve a conversation": lambda other, owned: other.conversations.retrieve(
        owned.conversation
    ),
    "items of a conversation": lambda other, owned: other.conversations.items.list(
        owned.conversation
    ),
    "delete a conversation": lambda other, owned: other.conversations.delete(owned.conversation),
    "join a conversation": lambda other, owned: other.responses.create(
        model="small", input="Go on.", conversation=owned.conversation
    ),
}

ASKING = ("continue", "join a conversation")


@pytest.mark.parametrize("what", OTHERS)
def test_what_another_account_has_stored_is_not_found(owned: Owned, what: str) -> None:
    """The same answer as for what does not exist, and nothing is sent to the vendor."""
    before = owned.vendor.play()
    for account in LOOKALIKES:
        with pytest.raises(openai.NotFoundError) as refused:
            OTHERS[what](client(owned.url, account), owned)
        assert WORD not in refused.value.response.text
    assert len(owned.vendor.requests) == before


def test_another_accounts_tool_results_go_to_no_turn_of_its_owner(owned: Owned) -> None:
    """They are a conversation of their sender's alone; the owner's turn waits on."""
    call = owned.call["tool_calls"][0]["id"]
    stolen = {**owned.call, "content": None}
    result = {"role": "tool", "tool_call_id": call, "content": "stolen"}
    messages: Any = [{"role": "user", "content": "?"}, stolen, result]
    for account in LOOKALIKES:
        before = owned.vendor.play(Say("Nothing."))
        other = client(owned.url, account)
        other.chat.completions.create(model="small", messages=messages, tools=[LOCATE])
        (request,) = owned.vendor.requests[before:]
        assert WORD not in request.content.decode()
    before = owned.vendor.play(Say("Rome."))
    mine: Any = [messages[0], stolen, {**result, "content": "Rome"}]
    acme = client(owned.url, "acme")
    acme.chat.completions.create(model="small", messages=mine, tools=[LOCATE])
    (request,) = owned.vendor.requests[before:]
    assert WORD in request.content.decode()
    assert "stolen" not in request.content.decode()


def test_an_idempotency_key_is_its_accounts_own(owned: Owned) -> None:
    """Two accounts that choose one key get an answer each."""
    accounts = ["acme", *LOOKALIKES]
    before = owned.vendor.play(*(Say(f"Hello {number}") for number in range(len(accounts))))
    for _ in range(2):
        for number, account in enumerate(accounts):
            answer = client(owned.url, account).chat.completions.create(
                model="small",
                messages=[{"role": "user", "content": "Hi"}],
                extra_headers={"Idempotency-Key": "one"},
            )
            assert answer.choices[0].message.content == f"Hello {number}"
    assert len(owned.vendor.requests) - before == len(accounts)


@pytest.mark.parametrize("what", OTHERS)
def test_a_key_sees_only_what_models_that_it_may_ask_have_answered(owned: Owned, what: str) -> None:
    """Also within its account; without the scope `models` it sees nothing at all."""
    before = owned.vendor.play()
    own = client(owned.url, "acme-big")
    with pytest.raises(openai.NotFoundError):
        OTHERS[what](own, owned)
    # A key that may ask no model learns that first where it asks one.
    refusal = openai.NotFoundError if what in ASKING else openai.PermissionDeniedError
    with pytest.raises(refusal):
        OTHERS[what](client(owned.url, "acme-reports"), owned)
    assert len(owned.vendor.requests) == before


def test_a_key_continues_no_turn_of_a_model_that_it_may_not_ask(owned: Owned) -> None:
    """Under the name of a model that it may ask: neither a turn that waits, nor a conversation."""
    tool: Any = {"type": "function", **LOCATE["function"], "strict": False}
    before = owned.vendor.play(Call(("locate", {})), Say("Seen."))
    acme, restricted = client(owned.url), client(owned.url, "acme-big")
    made: Any = acme.responses.create(model="small", input=WORD, tools=[tool])
    result: Any = {"type": "function_call_output", "output": "x"}
    result["call_id"] = made.output[0].call_id
    copied = acme.responses.create(model="big", input="?", previous_response_id=owned.response)
    for previous, given in ((made.id, [result]), (owned.response, "?"), (copied.id, "?")):
        with pytest.raises(openai.NotFoundError):
            restricted.responses.create(model="big", input=given, previous_response_id=previous)
    assert len(owned.vendor.requests) == before + 2
    with pytest.raises(openai.PermissionDeniedError):
        client(owned.url, "acme-reports").conversations.create()


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_an_idempotency_key_is_known_to_all_keys_of_an_account(owned: Owned, api: str) -> None:
    """A request that comes again with another key gets the first answer."""
    owned.vendor.play(Say("one"), Say("two"))
    given: Any = {"model": "small", "extra_headers": {"Idempotency-Key": f"both-{api}"}}
    for key in ("acme", "acme-second"):
        if api == "chat":
            messages: Any = [{"role": "user", "content": "?"}]
            chat = client(owned.url, key).chat.completions.create(messages=messages, **given)
            assert chat.choices[0].message.content == "one"
        else:
            assert client(owned.url, key).responses.create(input="?", **given).output_text == "one"
