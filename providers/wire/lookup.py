"""What became of a call whose answer never arrived: the vendor is asked for it, where it keeps
answers.

Responses are kept unless `store` is false, and found by the id that a stream tells first; chat
completions are kept only with `store`, and found by their id or by the `tg_attempt` put into their
metadata. Everything else is lost.
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

__all__ = ["TAG", "Outcome", "Store", "ask_vendor", "stored_at", "tagged"]

TAG: Final = "tg_attempt"
"""The member of a stored completion's metadata that holds the id of the attempt."""

Store = Literal["chat", "responses"]
"""Where a vendor keeps an answer."""

Outcome = ProviderReply | Literal["pending", "failed", "nothing"]
"""The answer; or it is still being made, it failed, or no completion is kept under this attempt's
name.
"""

_KEEPS_CHAT: Final[Mapping[str, str]] = {
    "openai": "https://platform.openai.com/docs/api-reference/chat/list",
    "azure": "https://learn.microsoft.com/azure/ai-foundry/openai/how-to/stored-completions",
}
"""Vendors that keep chat completions asked for with `store`, and list them by metadata."""

_MEMBERS: Final = 16
"""Of metadata (https://platform.openai.com/docs/api-reference/chat/create#chat-create-metadata)."""


def stored_at(payload: Payload, profile: VendorProfile) -> Store | None:
    """Where the vendor keeps the answer to `payload`; `None` where it keeps none.

    >>> from turngraph.providers.vendors.profiles import VENDORS
    >>> stored_at(Payload("responses", {}), VENDORS["openai"]), stored_at(Payload("chat", {}), VENDORS["openai"])
    ('responses', None)
    """
    store = payload.body.get("store")
    if payload.api == "responses":
        return "responses" if profile.responses == "stateful" and store is not False else None
    return "chat" if store is True and profile.name in _KEEPS_CHAT else None


def tagged(payload: Payload, attempt_id: str, profile: VendorProfile) -> Payload:
    """`payload` with the attempt's id in its metadata, where that is how its answer is found again.

    >>> from turngraph.providers.vendors.profiles import VENDORS
    >>> tagged(Payload("chat", {"store": True}), "c.1", VENDORS["openai"]).body
    {'store': True, 'metadata': {'tg_attempt': 'c.1'}}
    """
    metadata = payload.body.get("metadata") or {}
    if (
        stored_at(payload, profile) != "chat"
        or not isinstance(metadata, dict)
        or len(metadata) >= _MEMBERS
    ):
        return payload
    return Payload(
        payload.api, {**payload.body, "metadata": {**metadata, TAG: attempt_id}}, payload.warnings
    )


def ask_vendor(wire: Wire, store: Store, *, response_id: str | None, attempt_id: str) -> Outcome:
    """What became of an attempt, of an answer that was to be kept in `store`. Raises ProviderError.

    A failed response is told apart because it has no answer, and its usage, where it has one, is
    that of an answer.
    """
    if store == "responses":
        if response_id is None:
            raise ProviderError(
                "No id of the response was ever told.", kind="not_found", vendor=wire.config.vendor
            )
        return _response(wire.fetch(f"/responses/{quote(response_id, safe='')}"), wire)
    if response_id is not None:
        return _completion(wire.fetch(f"/chat/completions/{quote(response_id, safe='')}"), wire)
    listed = wire.fetch("/chat/completions", {"metadata": {TAG: attempt_id}, "limit": 2})
    kept = listed.get("data") if isinstance(listed, dict) else None
    if not isinstance(kept, list):
        raise ProviderError(
            "This is no list of stored completions.", kind="protocol", vendor=wire.config.vendor
        )
    # A server that does not know the filter lists everybody's.
    mine = [
        one
        for one in kept
        if isinstance(one, dict) and (one.get("metadata") or {}).get(TAG) == attempt_id
    ]
    if kept and not mine:
        raise ProviderError(
            "The vendor does not filter by metadata.", kind="protocol", vendor=wire.config.vendor
        )
    return _completion(mine[0], wire) if mine else "nothing"


def _response(body: Any, wire: Wire) -> Outcome:
    if not isinstance(body, dict):
        raise ProviderError("This is no response.", kind="protocol", vendor=wire.config.vendor)
    if body.get("status") in ("queued", "in_progress"):
        return "pending"
    try:
        return read_responses(body, vendor=wire.config.vendor)
    except ResponsesAPIError:
        # What a failed response used is reported like any other's, where it used anything.
        return (
            "failed" if not body.get("usage") else read_responses({**body, "status": "incomplete"})
        )


def _completion(body: Any, wire: Wire) -> ProviderReply:
    if not isinstance(body, dict):
        raise ProviderError("This is no completion.", kind="protocol", vendor=wire.config.vendor)
    return read_chat(body, vendor=wire.config.vendor)
