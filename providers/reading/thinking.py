"""Reasoning that a model writes into its answer, between `<think>` and `</think>`."""

from typing import Final

__all__ = ["ThinkSplitter"]

OPEN: Final = "<think>"
CLOSE: Final = "</think>"


class ThinkSplitter:
    """Parts text into reasoning and answer, piece by piece, wherever the pieces were cut.

    Only a `<think>` at the very start opens reasoning (models behind Scaleway, Groq's `raw` format,
    vLLM without a parser); anywhere else it is text that somebody may have asked for.

        >>> splitter = ThinkSplitter()
        >>> [splitter.feed(piece) for piece in ("<th", "ink>2+2", "</think>", "\\n4")], splitter.finish()
        ([('', ''), ('2+2', ''), ('', ''), ('', '4')], ('', ''))
    """

    def __init__(self) -> None:
        self._state = "start"
        self._held = ""

    def feed(self, text: str) -> tuple[str, str]:
        """What of `text`, and of what was held back before, is reasoning and what is answer."""
        if self._state == "text":
            return "", text
        return self._split(self._held + text)

    def finish(self) -> tuple[str, str]:
        """What was held back, now that no more comes."""
        held, self._held = self._held, ""
        return (
            ("", held)
            if self._state == "start"
            else (held, "")
            if self._state == "thinking"
            else ("", "")
        )

    def _split(self, text: str) -> tuple[str, str]:
        self._held = ""
        if self._state == "start":
            return self._start(text)
        if self._state == "thinking":
            return self._thinking(text)
        answer = (
            text.lstrip()
        )  # "after": the blank lines between the reasoning and the answer belong to neither
        if answer:
            self._state = "text"
        return "", answer

    def _start(self, text: str) -> tuple[str, str]:
        begun = text.lstrip()
        if begun.startswith(OPEN):
            self._state = "thinking"
            return self._thinking(begun.removeprefix(OPEN))
        if OPEN.startswith(begun):
            self._held = text
            return "", ""
        self._state = "text"
        return "", text

    def _thinking(self, text: str) -> tuple[str, str]:
        reasoning, close, rest = text.partition(CLOSE)
        if close:
            self._state = "after"
            return reasoning, self._split(rest)[1]
        keep = next((n for n in range(len(CLOSE) - 1, 0, -1) if text.endswith(CLOSE[:n])), 0)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep], ""
