"""The exact JSON of a request: a pure function of the request, the conversation and the profile."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Final

import orjson
from langchain_core.messages import BaseMessage, SystemMessage

from turngraph.providers.vendors.profiles import VendorProfile
from turngraph.providers.writing.chat_body import chat_body
from turngraph.providers.writing.checks import check_conversation, check_request, json_fault
from turngraph.providers.writing.notes import Notes
from turngraph.providers.writing.responses_body import responses_body
from turngraph.state.errors import TurnValueError
from turngraph.state.json_types import JsonObject
from turngraph.state.request import Api, ChatRequest

__all__ = ["Payload", "build_payload"]


_JSON: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_AS_PYTHON: Final = (
    orjson.OPT_PASSTHROUGH_DATACLASS
    | orjson.OPT_PASSTHROUGH_DATETIME
    | orjson.OPT_PASSTHROUGH_SUBCLASS
)
"""Values that Python's encoder refuses, or writes in its own way, are left to it."""


@dataclass(frozen=True)
class Payload:
    """A request as it is sent.

    >>> Payload("chat", {"model": "m", "n": 1}).content
    b'{"model":"m","n":1}'
    """

    api: Api
    body: JsonObject
    warnings: tuple[str, ...] = ()
    """A sentence for everything that the vendor's profile left out or rewrote."""

    @cached_property
    def content(self) -> bytes:
        """The bytes that are sent: compact JSON in UTF-8."""
        members = (_json(str(name)) + b":" + _json(value) for name, value in self.body.items())
        return b"{" + b",".join(members) + b"}"

    @cached_property
    def sha(self) -> str:
        """The SHA-256 of the bytes, in hexadecimal, by which an equal request is recognized."""
        return sha256(self.content).hexdigest()


def build_payload(
    request: ChatRequest,
    messages: Sequence[BaseMessage],
    profile: VendorProfile,
    *,
    strict: bool = False,
    remove_empty_content: bool = True,
) -> Payload:
    """The JSON that `request` over `messages` becomes for the vendor of `profile`.

    strict: whether to raise TurnValueError where the profile would leave something out.
    remove_empty_content: whether an answer with tool calls and no text is sent without `content`.

    Raises TurnValueError, naming the place, for what cannot be sent: an empty conversation, a
    message of an unknown kind, a tool's result without its call or a call without its result, NaN,
    a lone surrogate.

        >>> from langchain_core.messages import HumanMessage
        >>> from turngraph.providers.vendors.profiles import VENDORS
        >>> model = "llama-3.3-70b-versatile"
        >>> request = ChatRequest(vendor="groq", api="chat", model=model, temperature=0)
        >>> build_payload(request, [HumanMessage("Hi")], VENDORS["groq"]).warnings
        ('`temperature` is sent as 1e-08: groq takes nothing below.',)
    """
    if request.body is not None:
        # Somebody wrote the whole body by hand (the stepper's edit): it is sent as it is.
        return _encode(Payload(request.api, {"model": request.model, **request.body}))
    notes = Notes(profile.name, request.model, strict=strict)
    check_request(request)
    conversation = _messages_after_previous(request, messages)
    check_conversation(
        conversation,
        adjacent=request.api == "chat",
        continued=request.previous_response_id is not None,
    )
    quirks = profile.for_model(request.model)
    conversation = _with_system(request, conversation)
    if request.api == "chat":
        body = chat_body(request, conversation, quirks, notes, remove_empty=remove_empty_content)
    else:
        body = responses_body(request, conversation, quirks, notes)
    for name in sorted(quirks.drop & request.extra_body.keys()):
        # `extra_body` is for whoever knows better than the profile, so nothing is left out of it.
        notes.add(
            f"`{name}` is sent as asked, though {profile.name} is known to refuse or ignore it."
        )
    body.update(request.extra_body)
    return _encode(Payload(request.api, body, notes.sentences()))


def _json(value: object) -> bytes:
    """`value` as compact JSON in UTF-8.

    Lists (the conversation, the tools) are written by orjson, in a tenth of the time. It writes NaN
    as null, and refuses numbers of more than 64 bits and names that are no text, so Python's own
    encoder writes, or refuses, those.
    """
    if type(value) is list:
        try:
            written = orjson.dumps(value, option=_AS_PYTHON)
        except (TypeError, ValueError):
            written = None
        if written is not None and (b"null" not in written or orjson.loads(written) == value):
            return written
    return _JSON.encode(value).encode()


def _encode(payload: Payload) -> Payload:
    """Returns `payload` with its bytes computed.

    Raises TurnValueError, naming the place, for what JSON or UTF-8 cannot hold.
    """
    try:
        payload.content  # noqa: B018, the property caches the bytes
    except (ValueError, TypeError, RecursionError) as exc:  # a UnicodeEncodeError is a ValueError
        raise json_fault(payload.body, exc) from None
    return payload


def _with_system(request: ChatRequest, messages: Sequence[BaseMessage]) -> Sequence[BaseMessage]:
    """The conversation under the request's system message, which replaces one at the start."""
    if request.system is None or request.previous_response_id is not None:
        return messages
    rest = messages[1:] if messages and isinstance(messages[0], SystemMessage) else messages
    return [SystemMessage(request.system), *rest]


def _messages_after_previous(
    request: ChatRequest, messages: Sequence[BaseMessage]
) -> Sequence[BaseMessage]:
    """The messages that the vendor does not have yet.

    With `previous_response_id` it knows everything up to that response, and answers 404 or
    repeats items if they are sent again.
    """
    previous = request.previous_response_id
    if previous is None:
        return messages
    if request.api == "chat":
        raise TurnValueError(
            "`previous_response_id` belongs to the Responses API; Chat Completions keeps no "
            "answers. Leave it out, or set `api` to responses."
        )
    answers = [n for n, message in enumerate(messages) if message.type in ("ai", "AIMessageChunk")]
    matching = (n for n in reversed(answers) if messages[n].response_metadata.get("id") == previous)
    position = next(matching, None)
    if position is None and answers:
        raise TurnValueError(
            f"No message of the conversation is the response `{previous}`: "
            "send only the messages that follow it, or leave `previous_response_id` out."
        )
    return messages if position is None else messages[position + 1 :]
