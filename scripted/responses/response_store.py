"""Stored responses, for `previous_response_id` and `GET /v1/responses/{id}`."""

import threading
from dataclasses import dataclass
from typing import Final

from turngraph.scripted.bounded import BoundedDict
from turngraph.scripted.prompt import Message
from turngraph.state.json_types import JsonObject

__all__ = ["ResponseStore", "StoredResponse"]

MAX_STORED: Final = 1_000
MAX_ITEMS: Final = 10_000


@dataclass(frozen=True)
class StoredResponse:
    """A response and the messages that it added to its conversation.

    Earlier messages are found through `previous`, so that a long conversation is stored once.
    """

    body: JsonObject
    added: tuple[Message, ...]
    previous: "StoredResponse | None" = None

    @property
    def conversation(self) -> tuple[Message, ...]:
        """Every message up to and including this response, the oldest first."""
        added, response = [self.added], self.previous
        while response is not None:
            added.append(response.added)
            response = response.previous
        return tuple(message for messages in reversed(added) for message in messages)


class ResponseStore:
    """The last thousand responses of requests without `"store": false`, by id. Thread-safe."""

    def __init__(self) -> None:
        self._responses = BoundedDict[str, StoredResponse](MAX_STORED)
        self._item_ids = BoundedDict[str, None](MAX_ITEMS)
        self._lock = threading.Lock()

    def add(self, response: StoredResponse) -> None:
        """Stores a response and the ids of its items; the oldest are dropped."""
        with self._lock:
            self._responses[response.body["id"]] = response
            for item in response.body["output"]:
                self._item_ids[item["id"]] = None

    def find(self, id: str) -> StoredResponse | None:
        """Returns the response with this id, or None."""
        with self._lock:
            return self._responses.get(id)

    def has_item(self, id: str) -> bool:
        """Whether an item with this id belongs to a stored response."""
        with self._lock:
            return id in self._item_ids
