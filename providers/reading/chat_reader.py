"""Chat Completions: one reducer for its streams and its JSON answers.

https://platform.openai.com/docs/api-reference/chat-streaming, and what vendors make of it.
"""

from collections.abc import Mapping
from typing import Any, Final

from turngraph.providers.reading.call_assembler import CallAssembler
from turngraph.providers.reading.chat_raw import assembled, top_citations
from turngraph.providers.reading.fragments import Fragments, plain_text
from turngraph.providers.reading.read_limits import ReadLimits
from turngraph.providers.reading.thinking import ThinkSplitter
from turngraph.providers.reading.usage_reader import read_usage
from turngraph.state.errors import ErrorKind, ProviderError
from turngraph.state.reply import ProviderReply, StreamChunk
from turngraph.state.usage import Usage

__all__ = ["REASONING_FIELDS", "ChatReader", "read_chat"]

REASONING_FIELDS: Final = ("reasoning_content", "reasoning", "reasoning_text")
"""What vendors call the text of the reasoning: DeepSeek and most, OpenRouter and vLLM and Groq,
GitHub Copilot.
"""
DETAILS: Final = "reasoning_details"
ANSWERS: Final = frozenset({"content", "refusal", "tool_calls", "function_call"})
REASONED: Final = frozenset(REASONING_FIELDS) | {DETAILS}
READ_APART: Final = ANSWERS | {"role", "annotations", "audio", DETAILS, "padding"}
UNFINISHED: Final = frozenset({"length", "content_filter"})
"""Finish reasons after which the last tool call may lack its end."""


class ChatReader:
    """Takes the events of a stream in order, gives the pieces of the answer, and at last the
    answer.

    >>> reader = ChatReader()
    >>> reader.feed({"choices": [{"index": 0, "delta": {"content": "Hi"}, "finish_reason": "stop"}]})
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
    ) -> None:
        self._vendor = vendor
        self._finish_reason_optional = finish_reason_optional
        self._calls = CallAssembler(limits or ReadLimits())
        self._think = ThinkSplitter()
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._refusal: list[str] = []
        self._extra: dict[str, Any] = {}
        self._grown: dict[str, list[str]] = {}
        self._details, self._parts = Fragments(), Fragments()
        self._annotations: list[dict[str, Any]] = []
        self._logprobs: list[dict[str, Any]] = []
        self._top: dict[str, Any] = {}
        self._usage: Any = None
        self._finish: str | None = None
        self._answered = False
        self._notes: dict[str, None] = {}

    def feed(self, event: Mapping[str, Any]) -> list[StreamChunk]:
        """What `event` adds to the answer. Raises `ProviderError` above the limits."""
        chunks: list[StreamChunk] = []
        choices = event.get("choices")
        self._read_top(event)
        for choice in choices if isinstance(choices, list) else ():
            if isinstance(choice, dict):
                self._read_choice(choice, chunks)
        if usage := reported_usage(event):
            self._usage = usage
            if (not choices or self._finish is not None) and (
                read := self._read_usage()[0]
            ) is not None:
                chunks.append(StreamChunk(type="usage", usage=read))
        return chunks

    def finish(self, *, ended: bool = False) -> ProviderReply:
        """The answer; `ended` says that the stream came to its `[DONE]`.

        Without a finish reason it is `truncated`, unless the vendor is known to leave that out and
        the stream came to its `[DONE]` or its usage. Raises `ProviderError` where no choice came at
        all.
        """
        optional = self._finish_reason_optional and (ended or self._usage is not None)
        truncated = self._finish is None and not optional
        if self._finish is not None and not ended:
            self._notes["The stream ended without `[DONE]`."] = None
        if not self._answered:
            raise self._no_choices("protocol" if ended or self._usage else "truncated")
        return self._reply(truncated, None)

    @property
    def response_id(self) -> str | None:
        """The vendor's id of the answer, as soon as it was told."""
        return text_or_none(self._top.get("id"))

    def finish_whole(self, body: Mapping[str, Any]) -> ProviderReply:
        """The answer after a JSON body: nothing more could come, so a missing finish reason cuts
        nothing.
        """
        if not self._answered:
            raise self._no_choices("protocol")
        return self._reply(False, body)

    def read_message(self, choice: Mapping[str, Any]) -> None:
        """A choice of a JSON answer."""
        message = choice.get("message", choice.get("delta"))
        if isinstance(message, dict):
            self._calls.add(message.get("tool_calls") or [], whole=True)
            message = {name: value for name, value in message.items() if name != "tool_calls"}
        self._read_choice({**choice, "delta": message}, [])

    def note(self, text: str) -> None:
        """Keep a note on a departure from the documented format."""
        self._notes[text] = None

    def _no_choices(self, kind: ErrorKind) -> ProviderError:
        return ProviderError(
            "The answer has no choices.", kind=kind, vendor=self._vendor or None, billed="unknown"
        )

    def _read_top(self, event: Mapping[str, Any]) -> None:
        for name, value in event.items():
            if value is None or value == "" or name == "choices":
                continue
            if name in ("id", "model") and self._top.setdefault(name, value) != value:
                self._notes[f"`{name}` changed within the stream; the first is kept."] = None
            else:
                self._top[name] = value

    def _read_choice(self, choice: Mapping[str, Any], chunks: list[StreamChunk]) -> None:
        if choice.get("index") not in (0, None):
            self._notes["More than one choice; the first is kept."] = None
            return
        self._answered = True
        delta = choice.get("delta")
        if delta is None and not self._text:
            delta = choice.get("message")
        if isinstance(delta, dict):
            self._read_delta(delta, chunks)
        if (logprobs := choice.get("logprobs")) is not None:
            self._read_logprobs(logprobs)
        reason = choice.get("finish_reason")
        if reason and self._finish is None:
            self._finished(str(reason), chunks)

    def _finished(self, reason: str, chunks: list[StreamChunk]) -> None:
        if reason == "error":
            text = "The vendor gives an error as the reason why the answer ended."
            raise ProviderError(text, kind="server", vendor=self._vendor or None, billed="unknown")
        self._finish = reason
        self._tell_held(chunks)
        if reason not in UNFINISHED:
            chunks += [
                StreamChunk(type="tool_call", tool_call=call) for call in self._calls.calls()
            ]

    def _read_delta(self, delta: Mapping[str, Any], chunks: list[StreamChunk]) -> None:
        if not REASONED.isdisjoint(delta):
            self._read_reasoning(delta, chunks)
        for name, value in delta.items():
            if value is None or value == "" or name == "role":
                continue
            if name in ANSWERS and self._finish is not None:
                self._notes["Something came after the finish reason; it was ignored."] = None
            elif name == "content":
                self._read_content(value, chunks)
            elif name == "refusal":
                self._tell(self._refusal, "refusal", plain_text(value), chunks)
            elif name == "tool_calls":
                self._calls.add(value)
            elif name not in REASONING_FIELDS:
                self._read_rest(name, value, chunks)

    def _read_rest(self, name: str, value: Any, chunks: list[StreamChunk]) -> None:
        if name == "function_call":
            if isinstance(value, dict) and (value.get("name") or value.get("arguments")):
                # The form before tool calls: one call, without an id. An index of its own keeps it
                # apart.
                self._calls.add([{"index": -1, "type": "function_call", "function": value}])
        elif name == "annotations":
            self._annotations += [item for item in as_list(value) if isinstance(item, dict)]
        elif name == "audio" and isinstance(value, dict):
            self._read_audio(value, chunks)
        elif name not in READ_APART:
            self._extra[name] = value

    def _read_reasoning(self, delta: Mapping[str, Any], chunks: list[StreamChunk]) -> None:
        shown = ""
        for name in REASONING_FIELDS:
            value = delta.get(name)
            if isinstance(value, str):
                self._grown.setdefault(name, []).append(value)
                shown = shown or value
        for detail in as_list(delta.get(DETAILS)):
            if isinstance(detail, dict):
                self._details.add(detail)
                if not any(delta.get(name) for name in REASONING_FIELDS):
                    shown += plain_text(detail.get("text")) or plain_text(detail.get("summary"))
        self._tell(self._reasoning, "reasoning", shown, chunks)

    def _read_content(self, value: Any, chunks: list[StreamChunk]) -> None:
        if isinstance(value, str):
            if self._parts:
                self._parts.add({"type": "text", "text": value})
            reasoning, text = self._think.feed(value)
            self._tell(self._reasoning, "reasoning", reasoning, chunks)
            self._tell(self._text, "text", text, chunks)
            return
        if self._text and not self._parts:
            self._parts.add({"type": "text", "text": "".join(self._text)})
        for part in as_list(value):
            if isinstance(part, dict):
                self._parts.add(part)
                self._tell(self._reasoning, "reasoning", plain_text(part.get("thinking")), chunks)
                self._tell(self._text, "text", plain_text(part.get("text")), chunks)

    def _read_audio(self, audio: Mapping[str, Any], chunks: list[StreamChunk]) -> None:
        """Spoken answers: the transcript is the text; the id is what a later request refers to."""
        if audio.get("id"):
            self._extra["audio"] = {"id": audio["id"]}
        self._tell(self._text, "text", plain_text(audio.get("transcript")), chunks)

    def _read_logprobs(self, logprobs: Any) -> None:
        if isinstance(logprobs, dict) and not logprobs.keys() <= {"content", "refusal"}:
            self._logprobs.append(logprobs)
        elif isinstance(logprobs, dict):
            lists = (as_list(logprobs.get(name)) for name in ("content", "refusal"))
            self._logprobs += [item for found in lists for item in found if isinstance(item, dict)]

    @staticmethod
    def _tell(kept: list[str], kind: Any, text: str, chunks: list[StreamChunk]) -> None:
        if text:
            kept.append(text)
            chunks.append(StreamChunk(type=kind, text=text))

    def _tell_held(self, chunks: list[StreamChunk]) -> None:
        reasoning, text = self._think.finish()
        self._tell(self._reasoning, "reasoning", reasoning, chunks)
        self._tell(self._text, "text", text, chunks)

    def _read_usage(self) -> tuple[Usage | None, tuple[str, ...]]:
        return read_usage(self._usage, cost=self._top.get("cost"))

    def _reply(self, truncated: bool, body: Mapping[str, Any] | None) -> ProviderReply:
        self._tell_held([])
        usage, usage_notes = self._read_usage()
        calls = self._calls.calls()
        extra = self._extra | {name: "".join(pieces) for name, pieces in self._grown.items()}
        if self._details:
            extra[DETAILS] = self._details.whole()
        reply = ProviderReply(
            text="".join(self._text),
            reasoning="".join(self._reasoning) or None,
            tool_calls=calls,
            usage=usage,
            finish_reason=self._finish,
            refusal="".join(self._refusal) or None,
            response_id=text_or_none(self._top.get("id")),
            model=text_or_none(self._top.get("model")),
            truncated=truncated,
            items=tuple(self._parts.whole()),
            extra=extra,
            citations=tuple(self._annotations) or top_citations(self._top),
            logprobs=tuple(self._logprobs),
            service_tier=text_or_none(self._top.get("service_tier")),
            notes=(*self._notes, *self._calls.notes, *usage_notes),
            raw=body,
        )
        return (
            reply
            if body is not None
            else reply.model_copy(update={"raw": assembled(reply, self._top, self._usage)})
        )


def read_chat(
    body: Mapping[str, Any], *, vendor: str = "", limits: ReadLimits | None = None
) -> ProviderReply:
    """The answer in the JSON body of a Chat Completions call. Raises `ProviderError` where it has
    no choices.

    >>> read_chat({"choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}]}).text
    'Hi'
    """
    reader = ChatReader(vendor=vendor, limits=limits)
    choices = [choice for choice in as_list(body.get("choices")) if isinstance(choice, dict)]
    reader.feed({**body, "choices": None})
    if choices:
        reader.read_message(
            next(
                (choice for choice in choices if choice.get("index") == 0),
                {**choices[0], "index": 0},
            )
        )
    if len(choices) > 1:
        reader.note("More than one choice; the first is kept.")
    return reader.finish_whole(body)


def reported_usage(event: Mapping[str, Any]) -> Any:
    """The usage in an event, which Groq also puts under a member of its own:
    https://console.groq.com/docs.
    """
    groq = event.get("x_groq")
    return event.get("usage") or (groq.get("usage") if isinstance(groq, dict) else None)


def as_list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def text_or_none(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
