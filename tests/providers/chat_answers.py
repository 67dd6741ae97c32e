"""Answers of Chat Completions as a vendor sends them, and what the reader makes of them."""

from typing import Any

from turngraph.providers.reading.chat_reader import ChatReader, read_chat
from turngraph.state.reply import ProviderReply, StreamChunk

JsonObject = dict[str, Any]


def event(delta: JsonObject | None = None, finish: str | None = None, **top: Any) -> JsonObject:
    return {
        "id": "c1",
        "model": "m",
        "choices": [{"index": 0, "delta": delta or {}, "finish_reason": finish}],
        **top,
    }


def stream(
    *events: JsonObject, done: bool = True, **options: Any
) -> tuple[ProviderReply, list[StreamChunk]]:
    reader = ChatReader(**options)
    chunks = [chunk for each in events for chunk in reader.feed(each)]
    return reader.finish(ended=done), chunks


def reply_of(*events: JsonObject, **options: Any) -> ProviderReply:
    return stream(*events, **options)[0]


def call_piece(
    index: int | None = None, id_: str | None = None, name: str | None = None, args: Any = ""
) -> JsonObject:
    function = {"arguments": args} | ({"name": name} if name is not None else {})
    return (
        {"function": function}
        | ({"id": id_} if id_ is not None else {})
        | ({"index": index} if index is not None else {})
    )


def calls_of(*deltas: list[JsonObject], finish: str = "tool_calls") -> list[tuple[str, str, str]]:
    reply = reply_of(*(event({"tool_calls": pieces}) for pieces in deltas), event(finish=finish))
    return [(call.id, call.name, call.arguments) for call in reply.tool_calls]


def message(content: Any = None, finish: str | None = "stop", **more: Any) -> ProviderReply:
    return read_chat(
        {
            "choices": [
                {"index": 0, "message": {"content": content, **more}, "finish_reason": finish}
            ]
        }
    )
