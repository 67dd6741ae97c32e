"""What is asked of the scripted model and what it answers, whichever API both travel by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from turngraph.state.usage import Usage

__all__ = ["Answer", "AskedCall", "Message", "OfferedTool", "Prompt"]


class AskedCall(NamedTuple):
    """A tool call the model asks for. `arguments` is JSON text, or not: models err. An `id` of None
    is minted later.
    """

    name: str
    arguments: str
    id: str | None = None


class Message(NamedTuple):
    """A message of the conversation: its text, the calls of an assistant, the call a tool's result
    answers.
    """

    role: str
    text: str = ""
    calls: tuple[AskedCall, ...] = ()
    call_id: str | None = None


class OfferedTool(NamedTuple):
    """A function offered to the model."""

    name: str
    description: str
    parameters: Mapping[str, Any]
    strict: bool = False


@dataclass(frozen=True)
class Prompt:
    """A request as the mind reads it. `None` is «not asked».

    >>> Prompt(messages=(Message("user", "Hello!"),)).question
    'Hello!'
    """

    messages: tuple[Message, ...]
    tools: tuple[OfferedTool, ...] = ()
    tool_choice: str = "auto"
    """`auto`, `none`, `required`, or the name of the tool that must be called."""
    parallel: bool = True
    schema: Mapping[str, Any] | None = None
    """The JSON schema the answer must fit; `{}` is any object."""
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    effort: str | None = None
    """Of reasoning: `low`, `medium`, `high`, …"""
    logprobs: int | None = None
    """How many alternatives to show for each token; None shows no probabilities at all."""

    @property
    def question(self) -> str:
        """The text of the last user message, or nothing."""
        return next(
            (message.text for message in reversed(self.messages) if message.role == "user"), ""
        )

    @property
    def since_question(self) -> tuple[Message, ...]:
        """The messages after the last user message: calls asked for, and their results."""
        for place in range(len(self.messages), 0, -1):
            if self.messages[place - 1].role == "user":
                return self.messages[place:]
        return ()


@dataclass(frozen=True)
class Answer:
    """What the model says. `usage` None is counted; a `Usage()` without numbers is left out of what
    is sent.
    """

    text: str = ""
    calls: tuple[AskedCall, ...] = ()
    reasoning: str | None = None
    refusal: str | None = None
    finish_reason: str | None = None
    """`stop`, `length`, `tool_calls`, `content_filter`; None lets it follow from the rest."""
    usage: Usage | None = None

    @property
    def finish(self) -> str:
        """The finish reason, worked out where it was not given."""
        return self.finish_reason or ("tool_calls" if self.calls else "stop")

    def but(self, **changes: Any) -> "Answer":
        """The same answer, with some fields changed."""
        return replace(
            Answer(**{name: getattr(self, name) for name in Answer.__dataclass_fields__}), **changes
        )

    def numbered(self, ids: Sequence[str]) -> "Answer":
        """With an id for each call that has none."""
        if not self.calls:
            return self
        both = zip(self.calls, ids, strict=True)
        return self.but(
            calls=tuple(call if call.id else call._replace(id=minted) for call, minted in both)
        )
