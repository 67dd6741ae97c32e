"""Listens to an answer while it arrives: emits its tokens, and remembers what a cut one leaves."""

from dataclasses import dataclass, field

from turngraph.nodes.support.call_bounds import estimate_of
from turngraph.nodes.support.cancellation import TurnCancelledError
from turngraph.nodes.support.piece_streams import piece_pusher
from turngraph.nodes.support.stage_context import StageContext
from turngraph.providers.writing.messages import to_chunk
from turngraph.providers.writing.payload import Payload
from turngraph.state.events import token
from turngraph.state.reply import ProviderReply, StreamChunk
from turngraph.state.usage import Usage

__all__ = ["AnswerListener"]


@dataclass
class AnswerListener:
    """The callback of a request, `on_chunk`, and what it has heard."""

    turn_id: str
    message_id: str
    """The id of the assistant message that the answer becomes."""
    context: StageContext
    response_id: str | None = None
    text: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    usage: Usage | None = None
    """Vendors send it at the very end of a stream, so then only its last bytes are missing."""

    def __post_init__(self) -> None:
        self._pieces = self.context.of_answer()
        self._push = piece_pusher() if self.context.tokens_wanted else None

    def on_chunk(self, chunk: StreamChunk) -> None:
        """Called with every piece of the answer.

        Raises TurnCancelledError, which ends the request, once the caller has cancelled the turn.
        """
        if self.context.cancelled:
            raise TurnCancelledError
        if chunk.type == "text":
            self.text.append(chunk.text)
        elif chunk.type == "reasoning":
            self.reasoning.append(chunk.text)
        elif chunk.type == "usage":
            self.usage = chunk.usage
        self._emit(chunk)

    def partial_reply(self) -> ProviderReply | None:
        """Returns what has arrived as a truncated answer, or None if it has no text yet."""
        return self._truncated() if self.text else None

    def usage_so_far(self, payload: Payload) -> Usage | None:
        """Returns what the answer has used, perhaps estimated, or None if nothing has arrived."""
        if self.usage is not None or not (self.text or self.reasoning):
            return self.usage
        return estimate_of(self._truncated(), payload)

    def _emit(self, chunk: StreamChunk) -> None:
        if chunk.type not in ("text", "reasoning", "refusal"):
            return
        self._pieces.emit(token(self.turn_id, chunk.type, chunk.text))
        if self._push is not None:
            self._push(to_chunk(chunk, message_id=self.message_id))

    def _truncated(self) -> ProviderReply:
        return ProviderReply(
            text="".join(self.text),
            reasoning="".join(self.reasoning) or None,
            usage=self.usage,
            response_id=self.response_id,
            truncated=True,
        )
