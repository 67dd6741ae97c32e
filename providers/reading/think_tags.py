"""Separates reasoning that a model writes into its answer, between `<think>` and `</think>`."""

from typing import Final, Literal, TypeAlias

from turngraph.providers.vendors.reasoning_fields import THINK_CLOSE, THINK_OPEN

__all__ = ["ThinkSplitter"]

State: TypeAlias = Literal["start", "thinking", "between", "text"]
CLOSE_LENGTH: Final = len(THINK_CLOSE)


class ThinkSplitter:
    """Splits text into reasoning and answer, piece by piece, wherever the pieces were cut.

    Only a `<think>` at the very start opens reasoning: models behind Scaleway, Groq's `raw` format
    (https://console.groq.com/docs/reasoning) and vLLM without a reasoning parser write it there.
    Anywhere else it is text that somebody may have asked for.

        >>> splitter = ThinkSplitter()
        >>> [splitter.feed(piece) for piece in ("<th", "ink>2+2", "</think>", "\\n4")]
        [('', ''), ('2+2', ''), ('', ''), ('', '4')]
        >>> splitter.finish()
        ('', '')
    """

    def __init__(self) -> None:
        self._state: State = "start"
        self._held = ""

    def feed(self, text: str) -> tuple[str, str]:
        """Returns what is reasoning and what is answer, of `text` and of what was held back."""
        if self._state == "text":
            return "", text
        return self._split(self._held + text)

    def finish(self) -> tuple[str, str]:
        """Returns what was held back, once nothing more comes."""
        held, self._held = self._held, ""
        if self._state == "start":
            return "", held
        return (held, "") if self._state == "thinking" else ("", "")

    def _split(self, text: str) -> tuple[str, str]:
        self._held = ""
        if self._state == "start":
            return self._read_start(text)
        if self._state == "thinking":
            return self._read_reasoning(text)
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
        return "", text

    def _read_reasoning(self, text: str) -> tuple[str, str]:
        reasoning, close, rest = text.partition(THINK_CLOSE)
        if close:
            self._state = "between"
            return reasoning, self._split(rest)[1]
        # The end of the text may be the beginning of the closing tag: it waits for more.
        waiting = next(
            (n for n in range(CLOSE_LENGTH - 1, 0, -1) if text.endswith(THINK_CLOSE[:n])), 0
        )
        self._held = text[len(text) - waiting :]
        return text[: len(text) - waiting], ""
