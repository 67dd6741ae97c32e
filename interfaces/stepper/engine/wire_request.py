"""The exact JSON of a request to the model, also as a `curl` command and as a Python program. The
API key is in none of them.
"""

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from langchain_core.messages import AnyMessage

from turngraph.interfaces.stepper.engine.differences import Differences, diff_states
from turngraph.interfaces.stepper.engine.task_controller import Task
from turngraph.providers.reading.redact import redact
from turngraph.providers.wire.endpoint import BEARER, KeyHeader, key_header
from turngraph.state.errors import TurnValueError
from turngraph.state.json_types import JsonObject
from turngraph.state.request import ChatRequest

__all__ = ["WireRequest", "request_of", "request_with_body"]

_NO_KEY: Final = "$API_KEY"
_NONE: Final = Differences()


@dataclass(frozen=True)
class WireRequest:
    """A request as it is sent."""

    url: str
    body: JsonObject
    """The JSON of the request."""
    key_variable: str
    """The environment variable that holds the API key."""
    request: ChatRequest = field(repr=False)
    warnings: tuple[str, ...] = ()
    """What the vendor's profile left out or rewrote, a sentence each."""
    sent: bool = False
    """Whether it was sent already."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The configured headers beside the key, what may be a secret masked."""
    key_header: KeyHeader = BEARER
    """The header that carries the key, as this endpoint expects it."""
    edits: Differences = _NONE
    """What a person has changed in this request alone. The state keeps the request as it was, for
    the calls that follow.
    """

    def __getitem__(self, name: str) -> Any:
        """Returns a member of the JSON body."""
        return self.body[name]

    def __str__(self) -> str:
        """The JSON body, indented."""
        return json.dumps(self.body, indent=2, ensure_ascii=False)

    def as_curl(self) -> str:
        """Returns the request as a `curl` command, which reads the key from the environment."""
        lines = [
            f"curl {shlex.quote(self.url)}",
            f'-H "{self.key_header.name}: {self.key_header.prefix}${self.key_variable}"',
            "-H 'Content-Type: application/json'",
            *(f"-H {shlex.quote(f'{name}: {value}')}" for name, value in self.headers.items()),
            f"-d {shlex.quote(json.dumps(self.body, ensure_ascii=False))}",
        ]
        return " \\\n  ".join(lines)

    def as_python(self) -> str:
        """Returns the request as a Python program, which reads the key from the environment.

        It needs nothing but the standard library.
        """
        headers = [f"        {name!r}: {value!r},\n" for name, value in self.headers.items()]
        # An endpoint that needs no key is called without one; any other says what is missing.
        key = f"os.environ.get({self.key_variable!r}, '')"
        if self.key_header.prefix:
            key = f"{self.key_header.prefix!r} + {key}"
        return (
            "import json, os, urllib.request\n\n"
            f"body = json.loads({json.dumps(self.body)!r})\n"
            "request = urllib.request.Request(\n"
            f"    {self.url!r},\n"
            "    json.dumps(body).encode(),\n"
            "    {\n"
            f"        {self.key_header.name!r}: {key},\n"
            "        'Content-Type': 'application/json',\n"
            f"{''.join(headers)}"
            "    },\n"
            ")\n"
            "print(urllib.request.urlopen(request).read().decode())\n"
        )


def request_of(task: Task, *, sent: bool) -> WireRequest | None:
    """Returns the request that a `call_llm` task sends.

    None for any other task, and for a request that no converter can write.
    """
    if not task.calls_model:
        return None
    try:
        wire = _wire_request(task, task.input["request"], task.input["messages"], sent=sent)
        if "request" not in task.before_edit:
            return wire
        given = _wire_request(task, task.before_edit["request"], task.input["messages"], sent=sent)
        return replace(wire, edits=diff_states(given.body, wire.body))
    except TurnValueError:
        return None


def sent_body(task: Task) -> JsonObject | None:
    """Returns the JSON alone that a task has sent; None as for `request_of`."""
    if not task.calls_model:
        return None
    try:
        return _wire_request(task, task.input["request"], task.input["messages"], sent=True).body
    except TurnValueError:
        return None


def _wire_request(
    task: Task, request: ChatRequest, messages: Sequence[AnyMessage], *, sent: bool
) -> WireRequest:
    assert task.stage is not None, "only a stage of a turn sends requests"
    provider = task.stage.deps.provider
    config = provider.config
    payload = provider.payload(request, messages)
    named = (*config.profile.key_env, _NO_KEY.lstrip("$"))
    return WireRequest(
        url=redact(provider.url, secrets=config.secrets),
        body=payload.body,
        key_variable=named[0],
        request=request,
        warnings=payload.warnings,
        sent=sent,
        key_header=key_header(config),
        headers={
            name: redact(value, secrets=config.secrets) for name, value in config.headers.items()
        },
    )


def request_with_body(task: Task, body: Mapping[str, object]) -> ChatRequest:
    """Returns the request of `task`, changed so that its JSON is exactly `body`.

    Raises TurnValueError if `body` leaves out a member that every request of the turn has, or if it
    changes `stream`.
    """
    pending = request_of(task, sent=False)
    if pending is None:
        raise TurnValueError("No request is pending here: step on to `call_llm`.")
    request, fields = pending.request, ChatRequest.model_fields
    # Step 1: leave out what `body` leaves out, as far as it is a field with a default.
    defaults = {
        name: fields[name].default
        for name in pending.body
        if name not in body and name in fields and not fields[name].is_required()
    }
    extra = {name: value for name, value in request.extra_body.items() if name in body}
    bare = request.model_copy(update={**defaults, "extra_body": extra})
    bare_body = _wire_request(task, bare, task.input["messages"], sent=False).body
    _check_members(bare_body, body)
    # Step 2: `extra_body` overrides what the converter writes, so it carries every change.
    changed = {
        name: value
        for name, value in body.items()
        if name not in bare_body or bare_body[name] != value
    }
    return bare.model_copy(update={"extra_body": {**extra, **changed}})


def _check_members(bare_body: Mapping[str, object], body: Mapping[str, object]) -> None:
    stuck = sorted(name for name in bare_body if name not in body)
    if stuck:
        raise TurnValueError(
            f"`{stuck[0]}` belongs to every request of this turn and cannot be left out; change it."
        )
    if body.get("stream") != bare_body.get("stream"):
        raise TurnValueError(
            "`stream` is decided when the turn is built: `chat_turn(…, stream=…)`."
        )
