"""What one account has at the server is not there for another, whatever it asks for."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import openai
import pytest

from tests.interfaces.server.serving import Vendor, client, config_of, model_config, serving
from turngraph.scripted import Call, Say

WORD = "planted-word"
LOCATE: Any = {
    "type": "function",
    "function": {"name": "locate", "parameters": {"type": "object", "properties": {}}},
}
LOOKALIKES = ["evil", "acme/small", "acme%2Fsmall", "ACME", "acme/"]
"""Accounts whose names could be taken for acme's, or for one of its threads."""


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
    with Vendor() as vendor, serving(config_of({"small": model_config(vendor)})) as url:
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
    "delete a conversation": lambda other, owned: other.conversations.delete(owned.conversation),
    "join a conversation": lambda other, owned: other.responses.create(
        model="small", input="Go on.", conversation=owned.conversation
    ),
}


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
