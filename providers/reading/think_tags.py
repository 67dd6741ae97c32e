"""Separates reasoning that a model writes into its answer, between `<think>` and `</think>`."""

from typing import Final, Literal, TypeAlias

from turngraph.providers.vendors.reasoning_fields import THINK_CLOSE, THINK_OPEN
from turngraph.state.reply import StreamChunk, text_chunk

__all__ = ["ThinkSplitter", "split_thinking", "thinking_chunks"]

State: TypeAlias = Literal["start", "thinking", "between", "text"]
CLOSE_LENGTH: Final = len(THINK_CLOSE)
_QUOTES: Final = ("`", '"', "'", "“")
_FENCE: Final = "```"


class ThinkSplitter:
    """Splits text into reasoning and answer, piece by piece, wherever the pieces were cut.

    Only a `<think>` at the very start opens reasoning: models behind Scaleway, Groq's `raw` format
    (https://console.groq.com/docs/reasoning) and vLLM without a reasoning parser write it there.
    Anywhere else it is text that somebody may have asked for. A lone `</think>` ends reasoning that
    a chat template opened: `lone_close` is then set, and all text before it was reasoning. Within
    quotes or a block of code it is a mention.

        >>> splitter = ThinkSplitter()
        >>> [splitter.feed(piece) for piece in ("<th", "ink>2+2", "</think>", "\\n4")]
        [('', ''), ('2+2', ''), ('', ''), ('', '4')]
        >>> splitter.finish()
        ('', '')
    """

    def __init__(self) -> None:
        self._state: State = "start"
        self._held = ""
        self._last = ""
        self._closed = False
        self._fences = 0
        """How many fences of blocks of code the text has so far; within a block it is odd."""
        self.lone_close = False
        """Whether the text that was returned by the last call comes after a lone `</think>`."""

    def feed(self, text: str) -> tuple[str, str]:
        """Returns what is reasoning and what is answer, of `text` and of what was held back.

        After a lone `</think>` they are the end of the reasoning and the start of the answer.
        """
        self.lone_close = False
        if self._state == "text" and (self._closed or ("<" not in text and not self._held)):
            self._remember(text)
            return "", text
        return self._split(self._held + text)

    def finish(self) -> tuple[str, str]:
        """Returns what was held back, once nothing more comes."""
        held, self._held = self._held, ""
        self.lone_close = False
        if self._state in ("start", "text"):
            return "", held
        return (held, "") if self._state == "thinking" else ("", "")

    def _split(self, text: str) -> tuple[str, str]:
        self._held = ""
        if self._state == "start":
            return self._read_start(text)
        if self._state == "thinking":
            return self._read_reasoning(text)
        if self._state == "text":
            return self._read_text(text)
        # The blank lines between the reasoning and the answer belong to neither.
        answer = text.lstrip()
        if answer:
            self._state = "text"
        return "", answer

    def _read_start(self, text: str) -> tuple[str, str]:
        start = text.lstrip()
        if start.startswith(THINK_OPEN):
            self._state = "thinking"
            return self._read_reasoning(start.removeprefix(THINK_OPEN))
        if THINK_OPEN.startswith(start):
            self._held = text
            return "", ""
        self._state = "text"
        return self._read_text(text)

    def _read_text(self, text: str) -> tuple[str, str]:
        """Looks for a `</think>` that nothing opened and that is no mention."""
        before, close, rest = text.partition(THINK_CLOSE)
        if not close:
            waiting = unfinished_close(text)
            self._held = text[len(text) - waiting :]
            text = text[: len(text) - waiting]
            self._remember(text)
            return "", text
        self._remember(before)
        opened, self._closed = self._closed, True
        if opened or self._last[-1:] in _QUOTES or self._fences % 2:
            return "", text
        self._state, self.lone_close = "between", True
        return before, self._split(rest)[1]

    def _remember(self, text: str) -> None:
        end = self._last + text
        # A `<think>` within the text is a part of it, and so is the `</think>` that follows.
        self._closed = self._closed or THINK_OPEN in end
        if "`" in text:
            self._fences += end.count(_FENCE) - self._last.count(_FENCE)
        self._last = end[-len(THINK_OPEN) :]

    def _read_reasoning(self, text: str) -> tuple[str, str]:
        reasoning, close, rest = text.partition(THINK_CLOSE)
        if close:
            self._state, self._closed = "between", True
            return reasoning, self._split(rest)[1]
        waiting = unfinished_close(text)
        self._held = text[len(text) - waiting :]
        return text[: len(text) - waiting], ""


def split_thinking(text: str) -> tuple[str, str]:
    """The reasoning and the answer in the whole text of an answer.

    >>> split_thinking("2+2</think>4"), split_thinking("4")
    (('2+2', '4'), ('', '4'))
    """
    splitter = ThinkSplitter()
    pieces = (splitter.feed(text), splitter.finish())
    return "".join(piece[0] for piece in pieces), "".join(piece[1] for piece in pieces)


def thinking_chunks(reasoning: str, text: str) -> list[StreamChunk]:
    """The pieces that a splitter returned, as chunks.

    >>> [chunk.text for chunk in thinking_chunks("", "4")]
    ['4']
    """
    thought = [text_chunk("reasoning", reasoning)] if reasoning else []
    return thought + ([text_chunk("text", text)] if text else [])


def unfinished_close(text: str) -> int:
    """How many characters at the end of `text` may begin a `</think>`: they wait for more.

    >>> unfinished_close("2+2</thi"), unfinished_close("2+2")
    (5, 0)
    """
    return next((n for n in range(CLOSE_LENGTH - 1, 0, -1) if text.endswith(THINK_CLOSE[:n])), 0)
