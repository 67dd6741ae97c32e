"""The steps of a script: what the scripted model answers next, right or wrong."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from turngraph.scripted.prompt import Answer, AskedCall
from turngraph.scripted.received import ReceivedRequest
from turngraph.state.usage import Usage

__all__ = ["Call", "Cut", "Fail", "Hang", "Raw", "Refuse", "Say", "ScriptStep", "Step"]


class Say(Answer):
    """Answers this text. `reasoning` is shown as the API shows it; `finish_reason` may be `length`,
    `content_filter`.

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
    """Asks for these tool calls, all at once: `(name, arguments)` or `(name, arguments, id)`.

    Arguments are a mapping, or text sent as it is, JSON or not.

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
        asked = tuple(AskedCall(name, _written(arguments), *ids) for name, arguments, *ids in calls)
        super().__init__(
            text=text, calls=asked, reasoning=reasoning, finish_reason=finish_reason, usage=usage
        )


class Refuse(Answer):
    """Declines, in the APIs' own field for refusals."""

    def __init__(self, refusal: str, *, usage: Usage | None = None) -> None:
        super().__init__(refusal=refusal, usage=usage)


@dataclass(frozen=True)
class Fail:
    """An HTTP error. Without `body` the vendor's usual words for `status`
    (https://platform.openai.com/docs/guides/error-codes).
    """

    status: int
    body: Mapping[str, Any] | Sequence[Any] | str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Hang:
    """Says nothing for `seconds`, then takes the step `then`; without one the mind answers."""

    seconds: float
    then: "Step | None" = None


@dataclass(frozen=True)
class Cut:
    """Closes the connection before the answer is whole.

    `after` is how many events of a stream are sent (of an answer without stream: 0 none of its
    bytes, else half of them); None sends not even the status line. `clean` ends the stream as if it
    were complete. `answer` None is what the mind would say.
    """

    after: int | None = None
    answer: Answer | None = None
    clean: bool = False


@dataclass(frozen=True)
class Raw:
    """These bytes as the body, or these events of a stream, whatever was asked for.

    >>> Raw(["data: {}", "data: [DONE]"]).bytes
    b'data: {}\\n\\ndata: [DONE]\\n\\n'
    """

    body: bytes | str | Sequence[str]
    content_type: str = "text/event-stream"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def bytes(self) -> bytes:
        """The body as sent."""
        if isinstance(self.body, bytes):
            return self.body
        text = (
            self.body
            if isinstance(self.body, str)
            else "".join(f"{block}\n\n" for block in self.body)
        )
        return text.encode()


Step = Answer | Fail | Hang | Cut | Raw
"""What happens at one request."""
ScriptStep = Step | Callable[[ReceivedRequest], Step]
"""A step, or a function that looks at the request and gives one."""


def _written(arguments: Mapping[str, Any] | str) -> str:
    return arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
