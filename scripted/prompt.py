"""What the scripted model is asked and what it answers, independent of the API that carries it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple

from turngraph.state.usage import Usage

__all__ = ["Answer", "Message", "OfferedTool", "Prompt", "RequestedCall"]


class RequestedCall(NamedTuple):
    """A tool call that the model requests.

    `arguments` is usually JSON text, but may be any text, because real models make mistakes. Where
    `id` is None, the server creates an id before it sends the call.
    """

    name: str
    arguments: str
    id: str | None = None


class Message(NamedTuple):
    """One message of the conversation.

    `calls` are the tool calls of an assistant message; `call_id` names the call that a tool message
    answers.
    """

    role: str
    text: str = ""
    calls: tuple[RequestedCall, ...] = ()
    call_id: str | None = None


class OfferedTool(NamedTuple):
    """A function that the request offers to the model."""

    name: str
    description: str
    parameters: Mapping[str, Any]
    strict: bool = False


@dataclass(frozen=True)
class Prompt:
    """A request, read and checked. A field that is `None` was not in the request.

    >>> Prompt(messages=(Message("user", "Hello!"),)).question
    'Hello!'
    """

    messages: tuple[Message, ...]
    tools: tuple[OfferedTool, ...] = ()
    tool_choice: str = "auto"
    """`auto`, `none`, `required`, or the name of the tool that must be called."""
    parallel: bool = True
    """Whether the answer may hold several tool calls."""
    schema: Mapping[str, Any] | None = None
    """The JSON schema that the answer must fit; `{}` stands for any JSON object."""
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    effort: str | None = None
    """The reasoning effort: `low`, `medium`, `high`, …"""
    logprobs: int | None = None
    """How many alternatives to show for each token; None shows no log probabilities at all."""

    @property
    def question(self) -> str:
        """The text of the last user message, or the empty string where there is none."""
        return next(
            (message.text for message in reversed(self.messages) if message.role == "user"), ""
        )

    @property
    def since_question(self) -> tuple[Message, ...]:
        """The messages after the last user message: tool calls and their results."""
        for place in range(len(self.messages), 0, -1):
            if self.messages[place - 1].role == "user":
                return self.messages[place:]
        return ()


@dataclass(frozen=True)
class Answer:
    """What the model answers.

    With `usage=None` the server counts the tokens. With `Usage()`, which holds no numbers, the
    answer is sent without a usage member.
    """

    text: str = ""
    calls: tuple[RequestedCall, ...] = ()
    reasoning: str | None = None
    refusal: str | None = None
    finish_reason: str | None = None
    """`stop`, `length`, `tool_calls` or `content_filter`; None derives it from the other fields."""
    usage: Usage | None = None

    @property
    def finish(self) -> str:
        """The finish reason that is sent: the given one, else `tool_calls` or `stop`."""
        return self.finish_reason or ("tool_calls" if self.calls else "stop")

    def with_changes(self, **changes: Any) -> "Answer":
        """Returns a copy with some fields changed.

        >>> Answer("Hello").with_changes(text="Bye").text
        'Bye'
        """
        # The copy is a plain Answer: the constructors of `Say`, `Call` and `Refuse` take other
        # arguments, so `replace` alone cannot rebuild them.
        plain = Answer(**{field.name: getattr(self, field.name) for field in fields(Answer)})
        return replace(plain, **changes)

    def with_call_ids(self, ids: Sequence[str]) -> "Answer":
        """Returns a copy in which each call without an id gets the id at its place in `ids`."""
        if not self.calls:
            return self
        pairs = zip(self.calls, ids, strict=True)
        return self.with_changes(
            calls=tuple(call if call.id else call._replace(id=new_id) for call, new_id in pairs)
        )
