"""The responses the scripted model has kept, for `previous_response_id` and `GET
/v1/responses/{id}`.
"""

import threading
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from turngraph.scripted.prompt import Message

__all__ = ["KeptResponse", "ResponseMemory"]

KEPT: Final = 1_000


@dataclass(frozen=True)
class KeptResponse:
    """A response with what it added to its conversation; the rest stands in the one before it."""

    body: dict[str, Any]
    added: tuple[Message, ...]
    before: "KeptResponse | None" = None

    @property
    def conversation(self) -> tuple[Message, ...]:
        """Every message up to and with this response."""
        added, at = [self.added], self.before
        while at is not None:
            added.append(at.added)
            at = at.before
        return tuple(message for messages in reversed(added) for message in messages)


class ResponseMemory:
    """The last thousand responses that were to be stored, by id. Safe to use from several threads."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, KeptResponse] = OrderedDict()
        self._items: OrderedDict[str, None] = OrderedDict()
        self._lock = threading.Lock()

    def keep(self, response: KeptResponse) -> None:
        """Keep a response and the ids of its items; the oldest are forgotten."""
        with self._lock:
            self._kept[response.body["id"]] = response
            self._items.update((item["id"], None) for item in response.body["output"])
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
            while len(self._items) > KEPT * 10:
                self._items.popitem(last=False)

    def find(self, id: str) -> KeptResponse | None:
        """The response of that id, or None."""
        with self._lock:
            return self._kept.get(id)

    def unknown(self, ids: Collection[str]) -> list[str]:
        """Those of these item ids that belong to no kept response."""
        with self._lock:
            return [one for one in ids if one not in self._items]
