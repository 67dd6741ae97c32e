"""The exact JSON of a call to the model, and the same as a command and as a program, without its
key.
"""

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from langchain_core.messages import AnyMessage

from turngraph.interfaces.stepper.engine.task_controller import Task
from turngraph.providers.reading.redact import redact
from turngraph.state.errors import TurnValueError
from turngraph.state.request import Api, ChatRequest

__all__ = ["WireRequest", "request_of", "request_with_body"]

_PATHS: Final[Mapping[Api, str]] = {"chat": "/chat/completions", "responses": "/responses"}
_NO_KEY: Final = "$API_KEY"


@dataclass(frozen=True)
class WireRequest:
    """A request as it leaves: `body` is the very JSON. `sent` says whether it has left already."""

    url: str
    body: dict[str, Any]
    key_variable: str
    request: ChatRequest = field(repr=False)
    warnings: tuple[str, ...] = ()
    """What the vendor's profile left out or rewrote, a sentence each."""
    sent: bool = False
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The configured headers beside the key, what may be a secret masked."""

    def __getitem__(self, name: str) -> Any:
        """A member of the JSON."""
        return self.body[name]

    def __str__(self) -> str:
        """The JSON, indented."""
        return json.dumps(self.body, indent=2, ensure_ascii=False)

    def as_curl(self) -> str:
        """The request as a `curl` command; the key is read from the environment."""
        lines = [
            f"curl {shlex.quote(self.url)}",
            f'-H "Authorization: Bearer ${self.key_variable}"',
            "-H 'Content-Type: application/json'",
            *(f"-H {shlex.quote(f'{name}: {value}')}" for name, value in self.headers.items()),
            f"-d {shlex.quote(json.dumps(self.body, ensure_ascii=False))}",
        ]
        return " \\\n  ".join(lines)

    def as_python(self) -> str:
        """The request as a program of the standard library alone; the key is read from the
        environment.
        """
        headers = [f"        {name!r}: {value!r},\n" for name, value in self.headers.items()]
        return (
            "import json, os, urllib.request\n\n"
            f"body = json.loads({json.dumps(self.body)!r})\n"
            "request = urllib.request.Request(\n"
            f"    {self.url!r},\n"
            "    json.dumps(body).encode(),\n"
            "    {\n"
            f"        'Authorization': 'Bearer ' + os.environ[{self.key_variable!r}],\n"
            "        'Content-Type': 'application/json',\n"
            f"{''.join(headers)}"
            "    },\n"
            ")\n"
            "print(urllib.request.urlopen(request).read().decode())\n"
        )


def request_of(task: Task, *, sent: bool) -> WireRequest | None:
    """The request that `task`, a `call_llm`, sends; `None` for any other task, or where nobody
    could be sent this.
    """
    if task.stage is None or task.node != "call_llm":
        return None
    request, messages = task.input["request"], task.input["messages"]
    try:
        return _built(task, request, messages, sent=sent)
    except TurnValueError:
        return None


def _built(
    task: Task, request: ChatRequest, messages: Sequence[AnyMessage], *, sent: bool
) -> WireRequest:
    assert task.stage is not None, "only a turn's own stage sends requests"
    provider = task.stage.deps.provider
    config = provider.config
    payload = provider.payload(request, messages)
    named = (*config.profile.key_env, _NO_KEY.lstrip("$"))
    return WireRequest(
        url=redact(config.base_url.rstrip("/") + _PATHS[provider.api], secrets=config.secrets),
        body=payload.body,
        key_variable=named[0],
        request=request,
        warnings=payload.warnings,
        sent=sent,
        headers={
            name: redact(value, secrets=config.secrets) for name, value in config.headers.items()
        },
    )


def request_with_body(task: Task, body: Mapping[str, Any]) -> ChatRequest:
    """The request of `task` whose JSON is `body`. Raises TurnValueError for a member that cannot be
    left out.
    """
    before = request_of(task, sent=False)
    if before is None:
        raise TurnValueError("No request is pending here: step on to `call_llm`.")
    request, fields = before.request, ChatRequest.model_fields
    gone = [name for name in before.body if name not in body]
    left_out = {
        name: fields[name].default
        for name in gone
        if name in fields and not fields[name].is_required()
    }
    extra = {name: value for name, value in request.extra_body.items() if name in body}
    bare = request.model_copy(update={**left_out, "extra_body": extra})
    made = _built(task, bare, task.input["messages"], sent=False).body
    stuck = sorted(name for name in made if name not in body)
    if stuck:
        raise TurnValueError(
            f"`{stuck[0]}` belongs to every request of this turn and cannot be left out; change it."
        )
    if body.get("stream") != made.get("stream"):
        raise TurnValueError(
            "`stream` is decided when the turn is built: `chat_turn(…, stream=…)`."
        )
    changed = {
        name: value for name, value in body.items() if name not in made or made[name] != value
    }
    return bare.model_copy(update={"extra_body": {**extra, **changed}})
