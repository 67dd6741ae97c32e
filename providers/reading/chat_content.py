"""The text and the reasoning of a Chat Completions answer, put together from its content."""

from turngraph.providers.reading.fragments import Fragments, part_text
from turngraph.providers.reading.json_values import (
    content_text,
    is_part_list,
    joined_text,
    objects_in,
)
from turngraph.providers.reading.think_tags import ThinkSplitter
from turngraph.state.json_types import JsonObject
from turngraph.state.reply import StreamChunk, TextKind, text_chunk

__all__ = ["AnswerContent", "append_text"]


class AnswerContent:
    """The content of one answer, as far as it has come. What is new is appended to `chunks`.

    Content is text, which may hold think tags, or Mistral's list of `thinking` and `text` parts. A
    stream of Mistral's changes from one to the other. The parts are kept beside the text, since a
    later request must bring them back: https://docs.mistral.ai/capabilities/reasoning/

        >>> content, chunks = AnswerContent(), []
        >>> content.add("<think>2+2</think>4", chunks)
        >>> content.text, content.reasoning, [chunk.type for chunk in chunks]
        ('4', '2+2', ['reasoning', 'text'])
    """

    def __init__(self) -> None:
        self._think = ThinkSplitter()
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._parts = Fragments()

    def add(self, value: object, chunks: list[StreamChunk]) -> None:
        """Adds the `content` of a delta or of a message."""
        if isinstance(value, dict) and value.get("type") == "text":
            value = [value]  # one part, without the list around it
        if isinstance(value, str) or not is_part_list(value):
            self.add_plain(content_text(value), chunks)
        else:
            self._add_parts(objects_in(value), chunks)

    def add_plain(self, value: str, chunks: list[StreamChunk]) -> None:
        """Adds content that is text, which may hold think tags."""
        if self._parts:
            self._parts.add({"type": "text", "text": value})
        reasoning, text = self._think.feed(value)
        if self._think.lone_close:
            self._reasoning += self._text
            self._text.clear()
        if reasoning:
            self.add_reasoning(reasoning, chunks)
        self.add_text(text, chunks)

    def add_text(self, text: str, chunks: list[StreamChunk]) -> None:
        """Adds text in which nothing is a tag, such as the transcript of a spoken answer."""
        append_text(self._text, "text", text, chunks)

    def add_reasoning(self, text: str, chunks: list[StreamChunk]) -> None:
        """Adds reasoning that came in a member of its own."""
        append_text(self._reasoning, "reasoning", text, chunks)

    def flush(self, chunks: list[StreamChunk]) -> None:
        """Adds the text that was held back, because it could have been the start of a tag."""
        reasoning, text = self._think.finish()
        self.add_reasoning(reasoning, chunks)
        self.add_text(text, chunks)

    def __bool__(self) -> bool:
        """Whether some text or a part has come, held-back text not counted."""
        return bool(self._text or self._parts)

    @property
    def text(self) -> str:
        """The text without the reasoning."""
        return "".join(self._text)

    @property
    def reasoning(self) -> str:
        """The reasoning, from tags, parts and members of its own."""
        return "".join(self._reasoning)

    def parts(self) -> list[JsonObject]:
        """The parts of a content that came as a list; none for a content of text alone."""
        return self._parts.parts()

    def _add_parts(self, parts: list[JsonObject], chunks: list[StreamChunk]) -> None:
        if self._text and not self._parts:
            self._parts.add({"type": "text", "text": self.text})
        for part in parts:
            self._parts.add(part)
            if part.get("type") == "reasoning":  # Databricks, for Claude and gpt-oss
                self.add_reasoning(part_text(part), chunks)
                continue
            self.add_reasoning(joined_text(part.get("thinking")), chunks)
            inner = part.get("text")
            if isinstance(inner, dict):  # as in the messages of OpenAI's Assistants
                inner = inner.get("value")
            text = joined_text(inner) if is_part_list(inner) else content_text(inner)
            self.add_text(text, chunks)


def append_text(
    texts: list[str],
    kind: TextKind,
    text: str,
    chunks: list[StreamChunk],
) -> None:
    """Appends `text` to `texts`, and as a chunk of its `kind` to `chunks`; nothing if it is empty.

    >>> texts, chunks = [], []
    >>> append_text(texts, "refusal", "No.", chunks)
    >>> texts, chunks[0].type
    (['No.'], 'refusal')
    """
    if text:
        texts.append(text)
        chunks.append(text_chunk(kind, text))
