"""Looks up the answer of a call whose response never arrived, at vendors that store answers.

Responses are stored unless `store` is false, and found by the id that a stream reports first. Chat
completions are stored only with `store: true`, and found by their id, or by the attempt's id that
was put into their metadata. All other answers are lost.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal
from urllib.parse import quote

from turngraph.providers.reading.chat_reader import read_chat
from turngraph.providers.reading.responses_reader import read_responses
from turngraph.providers.vendors.profiles import VendorProfile
from turngraph.providers.wire.wire import Wire
from turngraph.providers.writing.payload import Payload
from turngraph.state.errors import ProviderError, ResponsesAPIError
from turngraph.state.reply import ProviderReply

__all__ = ["ATTEMPT_KEY", "LookupOutcome", "Store", "add_attempt_id", "ask_vendor", "store_of"]

ATTEMPT_KEY: Final = "tg_attempt"
"""The key in a stored completion's metadata whose value is the id of the attempt."""

Store = Literal["chat", "responses"]
"""Where a vendor stores an answer: among its chat completions, or among its responses."""

LookupOutcome = ProviderReply | Literal["pending", "failed", "nothing"]
"""The answer; or the vendor still works on it, it failed and used nothing, or no completion is
stored for this attempt.
"""

_METADATA_KEYS: Final = 16
"""The most keys that metadata may have
(https://platform.openai.com/docs/api-reference/chat/create#chat-create-metadata).
"""


def store_of(payload: Payload, profile: VendorProfile) -> Store | None:
    """Returns where the vendor stores the answer to `payload`, or None if it stores none.

    >>> from turngraph.providers.vendors.profiles import VENDORS
    >>> store_of(Payload("responses", {}), VENDORS["openai"])
    'responses'
    >>> store_of(Payload("chat", {}), VENDORS["openai"]) is None
    True
    """
    store = payload.body.get("store")
    if payload.api == "responses":
        return "responses" if profile.responses == "stateful" and store is not False else None
    return "chat" if store is True and profile.stored_completions else None


def add_attempt_id(payload: Payload, attempt_id: str, profile: VendorProfile) -> Payload:
    """Returns `payload` with the attempt's id in its metadata, if its answer can be found by that.

    Any other payload is returned as it is, and so is one whose metadata is full.

    >>> from turngraph.providers.vendors.profiles import VENDORS
    >>> add_attempt_id(Payload("chat", {"store": True}), "c.1", VENDORS["openai"]).body
    {'store': True, 'metadata': {'tg_attempt': 'c.1'}}
    """
    metadata = payload.body.get("metadata") or {}
    if store_of(payload, profile) != "chat" or not isinstance(metadata, dict):
        return payload
    if len(metadata) >= _METADATA_KEYS:
        return payload
    body = {**payload.body, "metadata": {**metadata, ATTEMPT_KEY: attempt_id}}
    return Payload(payload.api, body, payload.warnings)


def ask_vendor(
    wire: Wire, store: Store, *, response_id: str | None, attempt_id: str
) -> LookupOutcome:
    """Asks the vendor for the answer of one attempt.

    Args:
        wire: the endpoint that the attempt was sent to.
        store: where the answer was to be stored, as `store_of` said.
        response_id: the vendor's id of the answer, or None if none was received.
        attempt_id: the attempt's own id.

    Raises ProviderError if the vendor cannot be asked, or its reply says nothing about this call.
    """
    if store == "responses":
        if response_id is None:
            raise _error(
                wire, "No response id was received, so none can be asked for.", "not_found"
            )
        return _read_response(wire.fetch(f"/responses/{quote(response_id, safe='')}"), wire)
    if response_id is not None:
        path = f"/chat/completions/{quote(response_id, safe='')}"
        return _read_completion(wire.fetch(path), wire)
    return _find_completion(attempt_id, wire)


def _find_completion(attempt_id: str, wire: Wire) -> LookupOutcome:
    query = {"metadata": {ATTEMPT_KEY: attempt_id}, "limit": 2}
    listing = wire.fetch("/chat/completions", query)
    stored = listing.get("data") if isinstance(listing, dict) else None
    if not isinstance(stored, list):
        raise _error(wire, "The reply is not a list of stored completions.")
    matching = [one for one in stored if isinstance(one, dict) and _is_of(attempt_id, one)]
    # A server that does not know the filter lists the completions of other calls. That does not
    # prove that this call's is missing, so it is no "nothing".
    if stored and not matching:
        raise _error(wire, "The vendor does not filter stored completions by metadata.")
    return _read_completion(matching[0], wire) if matching else "nothing"


def _is_of(attempt_id: str, completion: Mapping[str, Any]) -> bool:
    return bool((completion.get("metadata") or {}).get(ATTEMPT_KEY) == attempt_id)


def _read_response(body: object, wire: Wire) -> LookupOutcome:
    if not isinstance(body, dict):
        raise _error(wire, "The reply is not a response object.")
    if body.get("status") in ("queued", "in_progress"):
        return "pending"
    try:
        return read_responses(body, vendor=wire.config.vendor)
    except ResponsesAPIError:
        # A failed response is billed for the tokens it used, so it is read like an incomplete one.
        if not body.get("usage"):
            return "failed"
        return read_responses({**body, "status": "incomplete"})


def _read_completion(body: object, wire: Wire) -> ProviderReply:
    if not isinstance(body, dict):
        raise _error(wire, "The reply is not a chat completion.")
    return read_chat(body, vendor=wire.config.vendor)


def _error(
    wire: Wire, text: str, kind: Literal["protocol", "not_found"] = "protocol"
) -> ProviderError:
    return ProviderError(text, kind=kind, vendor=wire.config.vendor)
