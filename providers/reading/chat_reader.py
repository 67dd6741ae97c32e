"""Chat Completions: reads streamed and JSON answers with one reducer.

The format is https://platform.openai.com/docs/api-reference/chat-streaming; comments here name the
vendors that depart from it.
"""

from typing import Any, Final

from turngraph.providers.reading.asked import Asked
from turngraph.providers.reading.call_assembler import CallAssembler
from turngraph.providers.reading.chat_content import AnswerContent, append_text
from turngraph.providers.reading.chat_raw import (
    assembled_completion,
    logprob_entries,
    top_level_citations,
)
from turngraph.providers.reading.finish_reasons import chat_finish_reason
from turngraph.providers.reading.json_values import (
    joined_text,
    objects_in,
    text_or_none,
    texts_named,
)
from turngraph.providers.reading.read_limits import ReadLimits
from turngraph.providers.reading.reasoning import REASONING_FIELDS, ReasoningCollector
from turngraph.providers.reading.repeated_events import RepeatedEvents
from turngraph.providers.reading.usage_reader import merged_usage, reported_usage
from turngraph.state.errors import ErrorKind, ProviderError
from turngraph.state.json_types import JsonMapping, JsonObject
from turngraph.state.reply import UNFINISHED_REASONS, ProviderReply, StreamChunk
from turngraph.state.usage import Usage
from turngraph.state.usage_report import read_usage

__all__ = ["ChatReader", "read_chat"]

ANSWER_FIELDS: Final = frozenset({"content", "refusal", "tool_calls", "function_call"})
READ_BY_NAME: Final = ANSWER_FIELDS | {"role", "annotations", "audio", "padding"}
"""Members of a delta that have a field of the reply, or mean nothing (`padding`)."""
LEGACY_CALL_INDEX: Final = -1

MORE_CHOICES_NOTE: Final = "More than one choice; the first is kept."
JOINED_CHOICES_NOTE: Final = "One answer came in several choices; they were joined."
"""GitHub Copilot sends the text of Claude's models in one choice and its calls in another:
https://github.com/HKUDS/nanobot/issues/1481
"""


class ChatReader:
    """Reads the chunks of a stream: `feed` returns pieces of the answer, `finish` the whole.

    finish_reason_optional: whether the vendor is known to leave the finish reason out of answers
        that are whole.

        >>> reader = ChatReader()
        >>> choice = {"index": 0, "delta": {"content": "Hi"}, "finish_reason": "stop"}
        >>> reader.feed({"choices": [choice]})
        [StreamChunk(type='text', text='Hi', tool_call=None, usage=None)]
        >>> reader.finish().text
        'Hi'
    """

    def __init__(
        self,
        *,
        vendor: str = "",
        limits: ReadLimits | None = None,
        finish_reason_optional: bool = False,
        asked: Asked = Asked(),  # noqa: B008, a tuple does not change
    ) -> None:
        self._vendor = vendor
        self._asked = asked
        self._announced_calls = 0
        self._finish_reason_optional = finish_reason_optional
        self._calls = CallAssembler(limits or ReadLimits(), asked)
        self._content = AnswerContent()
        self._repeated = RepeatedEvents()
        self._refusal: list[str] = []
        self._extra: JsonObject = {}
        self._reasoning_members = ReasoningCollector()
        self._annotations: list[JsonObject] = []
        self._logprobs: list[JsonObject] = []
        self._top: JsonObject = {}
        self._usage: Any = None
        self._announced_usage: Any = None
        self._finish_reason: str | None = None
        self._has_choice = False
        self._choice = 0
        self._notes: dict[str, None] = {}

    def feed(self, event: JsonMapping) -> list[StreamChunk]:
        """Returns what `event` adds to the answer. Raises `ProviderError` above the limits."""
        self._repeated.forget()
        chunks: list[StreamChunk] = []
        has_usage = self.read_envelope(event)
        for choice in objects_in(event.get("choices")):
            self._read_choice(choice, chunks)
        # vLLM (`continuous_usage_stats`) and Gemini send a usage with every chunk, so only the one
        # at the end is announced.
        if has_usage and (not event.get("choices") or self._finish_reason is not None):
            self._announce_usage(chunks)
        if not has_usage and self._finish_reason is None:
            self._repeated.remember(event)
        return chunks

    def feed_ordinary(self, event: JsonMapping) -> list[StreamChunk] | None:
        """Returns what `event` adds, if it is the one before with other text, and so no error; else
        None.
        """
        text = self._repeated.text_of(event)
        if text is None:
            return None
        chunks: list[StreamChunk] = []
        self._content.add_plain(text, chunks)
        return chunks

    def read_envelope(self, event: JsonMapping) -> bool:
        """Reads what stands beside the choices. Returns whether a usage is among it."""
        self._read_top_level(event)
        usage = reported_usage(event)
        if usage:
            self._usage = merged_usage(self._usage, usage)
        return bool(usage)

    def finish(self, *, ended: bool = False) -> ProviderReply:
        """Returns the answer. `ended` says that the stream came to its `[DONE]`.

        An answer without a finish reason is `truncated`, unless the stream came to its usage and
        its `[DONE]`, or to one of them where the vendor is known to leave it out. Raises
        `ProviderError` if there was no choice at all.
        """
        truncated = self._finish_reason is None and not self._is_whole_without_reason(ended)
        if self._finish_reason is not None and not ended:
            self._notes["The stream ended without `[DONE]`."] = None
        if not self._has_choice:
            raise self._no_choices("protocol" if ended or self._usage else "truncated")
        return self._reply(truncated, None)

    def end(self, *, ended: bool) -> list[StreamChunk]:
        """Returns what the end of the stream adds: text that was held back, calls that were not
        announced. `ended` says that it came to its `[DONE]`.
        """
        chunks: list[StreamChunk] = []
        self._content.flush(chunks)
        if self._finish_reason is not None or self._is_whole_without_reason(ended):
            self._announce_calls(chunks)
        if self._announced_usage is not self._usage:
            self._announce_usage(chunks)
        return chunks

    @property
    def whole(self) -> bool:
        """Whether the finish reason has come. The usage may be missing, and late pieces follow."""
        return self._finish_reason is not None

    @property
    def complete(self) -> bool:
        """Whether nothing but late pieces can follow: finish reason and usage have come."""
        return self._finish_reason is not None and self._usage is not None

    def _is_whole_without_reason(self, ended: bool) -> bool:
        has_usage = self._usage is not None
        return (ended and has_usage) or (self._finish_reason_optional and (ended or has_usage))

    @property
    def response_id(self) -> str | None:
        """The vendor's id of the answer, or None until it has come."""
        return text_or_none(self._top.get("id"))

    def finish_whole(self, body: JsonMapping) -> ProviderReply:
        """Returns the answer of a JSON `body`.

        A JSON body is whole or it does not parse, so a missing finish reason truncates nothing.
        """
        if not self._has_choice:
            raise self._no_choices("protocol")
        return self._reply(False, body)

    def read_message(self, choice: JsonMapping) -> None:
        """Reads a choice of a JSON answer."""
        message = choice.get("message", choice.get("delta"))
        if isinstance(message, dict):
            self._calls.add(message.get("tool_calls") or [], whole=True)
            message = {name: value for name, value in message.items() if name != "tool_calls"}
        self._read_choice({**choice, "delta": message, "message": None}, [])

    def add_note(self, text: str) -> None:
        """Keeps a note on a departure from the documented format."""
        self._notes[text] = None

    def _no_choices(self, kind: ErrorKind) -> ProviderError:
        return ProviderError(
            "The answer has no choices.", kind=kind, vendor=self._vendor or None, billed="unknown"
        )

    def _read_top_level(self, event: JsonMapping) -> None:
        top = self._top
        for name, value in event.items():
            # Azure's first chunk has an empty id and model; the next one has the real ones.
            if name == "choices" or value is None or value == "" or top.get(name) == value:
                continue
            if name in ("id", "model") and name in top:
                self._notes[f"`{name}` changed within the stream; the first is kept."] = None
            else:
                top[name] = value

    def _read_choice(self, choice: JsonMapping, chunks: list[StreamChunk]) -> None:
        index = choice.get("index")
        if index not in (0, None):
            if self._asked.several_choices:
                self._notes[MORE_CHOICES_NOTE] = None
                return
            self._notes[JOINED_CHOICES_NOTE] = None
        self._has_choice = True
        self._choice = index if isinstance(index, int) else 0
        if isinstance(delta := choice.get("delta"), dict):
            self._read_delta(delta, chunks)
        if isinstance(message := choice.get("message"), dict):
            # Some servers end a stream, or make all of it, with a `message` as in a JSON answer.
            self._read_delta(self._not_streamed(message), chunks)
        if logprobs := choice.get("logprobs"):
            self._logprobs += logprob_entries(logprobs)
        # An empty finish reason (xAI, Snowflake) is none; after the first, others are repetitions,
        # except one that says that a part of the answer was cut.
        if word := choice.get("finish_reason"):
            reason = chat_finish_reason(str(word))
            if reason and (self._finish_reason is None or reason in UNFINISHED_REASONS):
                self._end_choice(reason, chunks)

    def _not_streamed(self, message: JsonMapping) -> JsonMapping:
        """The members of a whole `message` that no delta has brought."""
        has_reasoning = bool(self._reasoning_members.members())
        known = {
            "content": bool(self._content),
            "refusal": bool(self._refusal),
            "tool_calls": bool(self._calls),
            "function_call": bool(self._calls),
            "annotations": bool(self._annotations),
            **dict.fromkeys(REASONING_FIELDS, has_reasoning),
        }
        return {name: value for name, value in message.items() if not known.get(name)}

    def _end_choice(self, reason: str, chunks: list[StreamChunk]) -> None:
        if reason == "error":  # OpenRouter: https://openrouter.ai/docs/api-reference/errors
            text = "The vendor gives `error` as the finish reason of the answer."
            raise ProviderError(text, kind="server", vendor=self._vendor or None, billed="unknown")
        self._finish_reason = reason
        self._content.flush(chunks)
        self._announce_calls(chunks)

    def _announce_calls(self, chunks: list[StreamChunk]) -> None:
        if self._finish_reason in UNFINISHED_REASONS:
            return
        calls = self._calls.calls()
        new = calls[self._announced_calls :]
        self._announced_calls = max(self._announced_calls, len(calls))
        chunks += [StreamChunk(type="tool_call", tool_call=call) for call in new]

    def _announce_usage(self, chunks: list[StreamChunk]) -> None:
        self._announced_usage = self._usage
        if (read := self._read_usage()[0]) is not None:
            chunks.append(StreamChunk(type="usage", usage=read))

    def _read_delta(self, delta: JsonMapping, chunks: list[StreamChunk]) -> None:
        if not REASONING_FIELDS.isdisjoint(delta):
            shown = self._reasoning_members.add(delta)
            self._content.add_reasoning(shown, chunks)
        for name, value in delta.items():
            if value is None or value == "" or name == "role" or name in REASONING_FIELDS:
                continue
            if name in ANSWER_FIELDS and self._finish_reason is not None:
                # SenseNova and NVIDIA send the last piece of the answer after its finish reason.
                self._notes["Something came after the finish reason; it was kept."] = None
            if name == "content":
                self._content.add(value, chunks)
                for text in texts_named("refusal", objects_in(value)):
                    append_text(self._refusal, "refusal", text, chunks)
            elif name == "refusal":
                append_text(self._refusal, "refusal", joined_text(value), chunks)
            elif name == "tool_calls":
                self._calls.add(value, choice=self._choice)
            else:
                self._read_other_member(name, value, chunks)

    def _read_other_member(self, name: str, value: object, chunks: list[StreamChunk]) -> None:
        if name == "function_call":
            if isinstance(value, dict) and (value.get("name") or value.get("arguments")):
                # The deprecated form before `tool_calls`: one call, without an id. An index that
                # no tool call has keeps the two forms apart.
                self._calls.add(
                    [{"index": LEGACY_CALL_INDEX, "type": "function_call", "function": value}],
                    choice=self._choice,
                )
        elif name == "annotations":
            self._annotations += objects_in(value)
        elif name == "audio" and isinstance(value, dict):
            self._read_audio(value, chunks)
        elif name not in READ_BY_NAME:
            self._extra[name] = value

    def _read_audio(self, audio: JsonMapping, chunks: list[StreamChunk]) -> None:
        """Reads a spoken answer: its transcript is the text, and a later request names its id."""
        if audio.get("id"):
            self._extra["audio"] = {"id": audio["id"]}
        self._content.add_text(joined_text(audio.get("transcript")), chunks)

    def _read_usage(self) -> tuple[Usage | None, tuple[str, ...]]:
        return read_usage(self._usage, cost=self._top.get("cost"))

    def _reply(self, truncated: bool, body: JsonMapping | None) -> ProviderReply:
        self._content.flush([])
        usage, usage_notes = self._read_usage()
        calls = self._calls.calls()
        reply = ProviderReply(
            text=self._content.text,
            reasoning=self._content.reasoning or None,
            tool_calls=calls,
            usage=usage,
            finish_reason=self._finish_reason,
            refusal="".join(self._refusal) or None,
            response_id=text_or_none(self._top.get("id")),
            model=text_or_none(self._top.get("model")),
            truncated=truncated,
            items=tuple(self._content.parts()),
            extra=self._extra | self._reasoning_members.members(),
            citations=tuple(self._annotations) or top_level_citations(self._top),
            logprobs=tuple(self._logprobs),
            service_tier=text_or_none(self._top.get("service_tier")),
            notes=(*self._notes, *self._calls.notes, *usage_notes),
            raw=body,
        )
        if body is not None:
            return reply
        return reply.model_copy(update={"raw": assembled_completion(reply, self._top, self._usage)})


def read_chat(
    body: JsonMapping,
    *,
    vendor: str = "",
    limits: ReadLimits | None = None,
    asked: Asked = Asked(),  # noqa: B008, a tuple does not change
) -> ProviderReply:
    """The answer in the JSON body of a Chat Completions call.

    Several choices are one answer, unless several were asked for: then it is the first.

    Raises `ProviderError` if it has no choices.

        >>> read_chat({"choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}]}).text
        'Hi'
    """
    reader = ChatReader(vendor=vendor, limits=limits, asked=asked)
    choices = objects_in(body.get("choices"))
    reader.read_envelope(body)
    if asked.several_choices and choices:
        # Choices may come in any order; without one of index 0 the first stands for it.
        first = next((choice for choice in choices if choice.get("index") == 0), choices[0])
        if len(choices) > 1:
            reader.add_note(MORE_CHOICES_NOTE)
        choices = [first]
    elif len(choices) > 1:
        reader.add_note(JOINED_CHOICES_NOTE)
    for choice in choices:
        reader.read_message({**choice, "index": 0})
    return reader.finish_whole(body)
