"""Writes a turn as the events of a `response` stream.

Reference: https://platform.openai.com/docs/api-reference/responses-streaming
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from turngraph.interfaces.server.answer_parts import shown_event
from turngraph.interfaces.server.responses.answer import (
    finished_response,
    message_item,
    output_items,
    reasoning_item,
    waiting_items,
)
from turngraph.interfaces.server.turn_runs import TurnEnd
from turngraph.state.events import AnyEvent, ResponseReceived, Token
from turngraph.state.json_types import JsonObject

__all__ = ["ResponseStream"]

_PART: Final = {"text": "output_text", "refusal": "refusal"}


@dataclass
class ResponseStream:
    """Makes the numbered events of one stream.

    An item is opened by the first token of its kind, and closed by a token of another kind, the end
    of an answer or the end of the turn.
    """

    started: JsonObject
    token: str
    holds: bool
    """Whether text is held back until it is known to be the last: where it must be JSON."""
    wants_events: bool = False
    _items: list[JsonObject] = field(default_factory=list)
    _number: int = 0
    _kind: str | None = None
    _text: str = ""

    def start(self) -> Iterator[JsonObject]:
        """The first events."""
        yield self._event("response.created", response=self.started)
        yield self._event("response.in_progress", response=self.started)

    def show(self, event: AnyEvent) -> Iterator[JsonObject]:
        """The events that show `event`, if it is one to be shown."""
        if isinstance(event, Token):
            if not (self.holds and event.kind == "text"):
                yield from self._token(event.kind, event.text)
        elif isinstance(event, ResponseReceived):
            yield from self._close()
        if self.wants_events and (shown := shown_event(event)) is not None:
            yield self._event("turngraph.event", event=shown)

    def finish(self, end: TurnEnd, started: JsonObject) -> Iterator[JsonObject]:
        """The last events: what was not shown yet, calls for the client, and the whole response,
        as the model that has answered had `started` it.
        """
        yield from self._close()
        # What came without tokens: of a vendor or a node that does not stream, or held back.
        items = output_items(end, self.token, last_only=self.holds)
        messages = [item for item in items if item["type"] == "message"]
        shown = sum(item["type"] == "message" for item in self._items)
        for item in messages[shown:]:
            yield from self._whole_message(item)
        for item in waiting_items(end, self.token, len(self._items)):
            yield from self._waiting(item)
        whole = finished_response(started, end, self._items)
        yield self._event(f"response.{whole['status']}", response=whole)

    def replay(self, whole: JsonObject) -> Iterator[JsonObject]:
        """All events of a response that has ended: each item as it stands in the `whole` of it."""
        yield from self.start()
        for item in whole["output"]:
            if item["type"] == "message":
                yield from self._whole_message(item)
            elif item["type"] == "reasoning":
                yield from self._token("reasoning", item["summary"][0]["text"])
                yield from self._close()
            else:
                yield from self._waiting(item)
        yield self._event(f"response.{whole['status']}", response=whole)

    def _whole_message(self, item: JsonObject) -> Iterator[JsonObject]:
        for part in item["content"]:
            kind = "text" if part["type"] == "output_text" else "refusal"
            yield from self._token(kind, part[kind])
            yield from self._close()

    def _token(self, kind: str, text: str) -> Iterator[JsonObject]:
        if self._kind != kind:
            yield from self._close()
            yield from self._open(kind)
        self._text += text
        if kind == "reasoning":
            yield self._at("response.reasoning_summary_text.delta", summary_index=0, delta=text)
        elif kind == "refusal":
            yield self._at("response.refusal.delta", content_index=0, delta=text)
        else:
            yield self._at("response.output_text.delta", content_index=0, delta=text, logprobs=[])

    def _open(self, kind: str) -> Iterator[JsonObject]:
        self._kind, self._text = kind, ""
        item = self._item()
        if kind == "reasoning":
            yield self._event(
                "response.output_item.added",
                output_index=len(self._items),
                item={**item, "summary": []},
            )
            part: JsonObject = {"type": "summary_text", "text": ""}
            yield self._at("response.reasoning_summary_part.added", summary_index=0, part=part)
            return
        yield self._event(
            "response.output_item.added",
            output_index=len(self._items),
            item={**item, "status": "in_progress", "content": []},
        )
        yield self._at("response.content_part.added", content_index=0, part=item["content"][0])

    def _close(self) -> Iterator[JsonObject]:
        if self._kind is None:
            return
        item, text = self._item(), self._text
        if self._kind == "reasoning":
            part = item["summary"][0]
            yield self._at("response.reasoning_summary_text.done", summary_index=0, text=text)
            yield self._at("response.reasoning_summary_part.done", summary_index=0, part=part)
        else:
            part = item["content"][0]
            if self._kind == "text":
                yield self._at("response.output_text.done", content_index=0, text=text, logprobs=[])
            else:
                yield self._at("response.refusal.done", content_index=0, refusal=text)
            yield self._at("response.content_part.done", content_index=0, part=part)
        yield self._done(item)
        self._kind, self._text = None, ""

    def _item(self) -> JsonObject:
        place = len(self._items)
        if self._kind == "reasoning":
            return reasoning_item(self.token, place, self._text)
        if self._kind == "refusal":
            return message_item(self.token, place, "", self._text)
        return message_item(self.token, place, self._text)

    def _waiting(self, item: JsonObject) -> Iterator[JsonObject]:
        place = len(self._items)
        if item["type"] != "function_call":
            yield self._event("response.output_item.added", output_index=place, item=item)
            yield self._done(item)
            return
        opened = {**item, "status": "in_progress", "arguments": ""}
        yield self._event("response.output_item.added", output_index=place, item=opened)
        at = {"item_id": item["id"], "output_index": place}
        arguments = item["arguments"]
        yield self._event("response.function_call_arguments.delta", **at, delta=arguments)
        yield self._event(
            "response.function_call_arguments.done", **at, name=item["name"], arguments=arguments
        )
        yield self._done(item)

    def _done(self, item: JsonObject) -> JsonObject:
        event = self._event("response.output_item.done", output_index=len(self._items), item=item)
        self._items.append(item)
        return event

    def _at(self, kind: str, **members: object) -> JsonObject:
        item_id = self._item()["id"]
        return self._event(kind, item_id=item_id, output_index=len(self._items), **members)

    def _event(self, kind: str, **members: object) -> JsonObject:
        number, self._number = self._number, self._number + 1
        return {"type": kind, "sequence_number": number, **members}
