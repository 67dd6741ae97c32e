"""The exact JSON of a request: a pure function of the request, the conversation and the vendor's
profile.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any

from langchain_core.messages import BaseMessage, SystemMessage

from turngraph.providers.vendors.profiles import VendorProfile
from turngraph.providers.writing.chat_body import chat_body
from turngraph.providers.writing.checks import check_conversation, check_request, json_fault
from turngraph.providers.writing.notes import Notes
from turngraph.providers.writing.responses_body import responses_body
from turngraph.state.errors import TurnValueError
from turngraph.state.request import Api, ChatRequest

__all__ = ["Payload", "build_payload"]


@dataclass(frozen=True)
class Payload:
    """What is sent, to which API, and a sentence for everything the vendor's profile left out or
    rewrote.

    >>> Payload("chat", {"model": "m", "n": 1}).content
    b'{"model":"m","n":1}'
    """

    api: Api
    body: dict[str, Any]
    warnings: tuple[str, ...] = ()

    @cached_property
    def content(self) -> bytes:
        """The very bytes that are sent: compact JSON in UTF-8."""
        return json.dumps(
            self.body, ensure_ascii=False, allow_nan=False, separators=(",", ":")
        ).encode()

    @cached_property
    def sha(self) -> str:
        """What the request is recognised by: the SHA-256 of its bytes, hexadecimal."""
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

    Raises TurnValueError, naming the place, for what nobody can send: an empty conversation, a
    message of an unknown kind, a tool's result without its call or a call without its result, NaN,
    a lone surrogate. With `strict`, it is raised too where the profile would leave something out.

        >>> from turngraph.providers.vendors.profiles import VENDORS
        >>> request = ChatRequest(vendor="groq", api="chat", model="llama-3.3-70b-versatile", temperature=0)
        >>> from langchain_core.messages import HumanMessage
        >>> build_payload(request, [HumanMessage("Hi")], VENDORS["groq"]).warnings
        ('`temperature` is sent as 1e-08: groq takes nothing below.',)
    """
    if request.body is not None:
        return _written(Payload(request.api, {"model": request.model, **request.body}))
    notes = Notes(profile.name, request.model, strict=strict)
    check_request(request)
    conversation = _after_previous(request, messages)
    check_conversation(
        conversation,
        adjacent=request.api == "chat",
        continued=request.previous_response_id is not None,
    )
    quirks = profile.for_model(request.model)
    if request.api == "chat":
        body = chat_body(
            request,
            _with_system(request, conversation),
            quirks,
            notes,
            remove_empty=remove_empty_content,
        )
    else:
        body = responses_body(request, _with_system(request, conversation), quirks, notes)
    for name in sorted(quirks.drop & request.extra_body.keys()):
        notes.add(
            f"`{name}` is sent as asked, though {profile.name} is known to refuse or ignore it."
        )
    body.update(request.extra_body)
    return _written(Payload(request.api, body, notes.taken()))


def _written(payload: Payload) -> Payload:
    """`payload`, its bytes made: what cannot be written is found out here. Raises TurnValueError
    naming the place.
    """
    try:
        payload.content  # noqa: B018, kept on the payload
    except (ValueError, TypeError, RecursionError) as exc:  # a UnicodeEncodeError is a ValueError
        raise json_fault(payload.body, exc) from None
    return payload


def _with_system(request: ChatRequest, messages: Sequence[BaseMessage]) -> Sequence[BaseMessage]:
    """The conversation under the request's system message, which replaces a leading one."""
    if request.system is None or request.previous_response_id is not None:
        return messages
    rest = messages[1:] if messages and isinstance(messages[0], SystemMessage) else messages
    return [SystemMessage(request.system), *rest]


def _after_previous(request: ChatRequest, messages: Sequence[BaseMessage]) -> Sequence[BaseMessage]:
    """What the vendor does not have yet, where it kept an earlier response: to send both is
    refused.
    """
    previous = request.previous_response_id
    if previous is None:
        return messages
    if request.api == "chat":
        raise TurnValueError(
            "`previous_response_id` belongs to the Responses API; Chat Completions keeps no answers."
        )
    answers = [n for n, message in enumerate(messages) if message.type in ("ai", "AIMessageChunk")]
    made = next(
        (n for n in reversed(answers) if messages[n].response_metadata.get("id") == previous), None
    )
    if made is None and answers:
        raise TurnValueError(
            f"No message of the conversation is the response `{previous}`: "
            "send only the messages that follow it, or leave `previous_response_id` out."
        )
    return messages if made is None else messages[made + 1 :]
