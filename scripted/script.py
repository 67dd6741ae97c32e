"""The steps of a script: what the scripted model answers to each request, right or wrong."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from turngraph.scripted.prompt import Answer, RequestedCall
from turngraph.scripted.received import ReceivedRequest
from turngraph.state.usage import Usage

__all__ = ["Call", "Cut", "Fail", "Hang", "Raw", "Refuse", "Say", "ScriptStep", "Step"]


class Say(Answer):
    """Answers with this text.

    `reasoning` is sent in the field that the API has for it. `finish_reason` is `stop` by default;
    `length` and `content_filter` are the other values that clients must handle.

    >>> Say("It is four.", reasoning="Two and two.").finish
    'stop'
    """

    def __init__(
        self,
        text: str,
        *,
        reasoning: str | None = None,
        finish_reason: str | None = None,
        usage: Usage | None = None,
    ) -> None:
        super().__init__(text=text, reasoning=reasoning, finish_reason=finish_reason, usage=usage)


class Call(Answer):
    """Requests these tool calls, all in one answer: `(name, arguments)` or `(name, arguments, id)`.

    `arguments` is a mapping, or a text that is sent as it is, even where it is not JSON.

        >>> Call(("weather", {"city": "Oslo"}), ("weather", "{not json")).calls[1].arguments
        '{not json'
    """

    def __init__(
        self,
        *calls: tuple[str, Mapping[str, Any] | str] | tuple[str, Mapping[str, Any] | str, str],
        text: str = "",
        reasoning: str | None = None,
        finish_reason: str | None = None,
        usage: Usage | None = None,
    ) -> None:
        requested = tuple(
            RequestedCall(name, _arguments_json(arguments), *ids) for name, arguments, *ids in calls
        )
        super().__init__(
            text=text,
            calls=requested,
            reasoning=reasoning,
            finish_reason=finish_reason,
            usage=usage,
        )


class Refuse(Answer):
    """Declines to answer, in the field that both APIs have for refusals.

    >>> Refuse("I cannot help with that.").refusal
    'I cannot help with that.'
    """

    def __init__(self, refusal: str, *, usage: Usage | None = None) -> None:
        super().__init__(refusal=refusal, usage=usage)


@dataclass(frozen=True)
class Fail:
    """Answers with an HTTP error.

    Without `body`, the error object that the vendor documents for `status` is sent
    (https://platform.openai.com/docs/guides/error-codes). A `body` that is a string is sent as
    HTML, as a proxy would; any other is sent as JSON.

        >>> Fail(429, headers={"Retry-After": "2"}).status
        429
    """

    status: int
    body: Mapping[str, Any] | Sequence[Any] | str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Hang:
    """Sends nothing for `seconds`, then takes the step `then`.

    With `then=None` the responder of the model answers after the wait.

        >>> Hang(0.5, then=Say("Sorry for the wait.")).seconds
        0.5
    """

    seconds: float
    then: "Step | None" = None


@dataclass(frozen=True)
class Cut:
    """Closes the connection before the whole answer is sent.

    `after` is the number of stream events that are sent. Without a stream, 0 sends no byte of the
    body and any other number sends half of it. `after=None` does not even send the status line.
    `clean=True` ends the HTTP body properly, so that only the missing events show the cut.
    `answer=None` takes the answer of the model's responder.

        >>> Cut(after=2, answer=Say("You will never read all of this.")).clean
        False
    """

    after: int | None = None
    answer: Answer | None = None
    clean: bool = False


@dataclass(frozen=True)
class Raw:
    """Sends these bytes, or these stream events, whatever the request was.

    >>> Raw(["data: {}", "data: [DONE]"]).bytes
    b'data: {}\\n\\ndata: [DONE]\\n\\n'
    """

    body: bytes | str | Sequence[str]
    content_type: str = "text/event-stream"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def bytes(self) -> bytes:
        """The bytes of the HTTP body."""
        if isinstance(self.body, bytes):
            return self.body
        if isinstance(self.body, str):
            return self.body.encode()
        return "".join(f"{event}\n\n" for event in self.body).encode()


Step = Answer | Fail | Hang | Cut | Raw
"""What happens at one request."""
ScriptStep = Step | Callable[[ReceivedRequest], Step]
"""A step, or a function that takes the request and returns a step."""


def _arguments_json(arguments: Mapping[str, Any] | str) -> str:
    return arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
