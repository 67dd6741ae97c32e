"""Stored chat completions, for `GET /v1/chat/completions` and `GET /v1/chat/completions/{id}`.

Reference: https://platform.openai.com/docs/api-reference/chat/list
"""

import threading
from collections.abc import Mapping
from typing import Final

from turngraph.scripted.bounded import BoundedDict
from turngraph.state.json_types import JsonObject

__all__ = ["CompletionStore"]

MAX_STORED: Final = 1_000
PAGE_SIZE: Final = 20
"""Completions on a page where the request names no `limit`, as the vendor has it."""


class CompletionStore:
    """The last thousand completions of requests with `"store": true`. Thread-safe.

    >>> store = CompletionStore()
    >>> store.add({"id": "c1", "metadata": {"team": "a"}})
    >>> [one["id"] for one in store.list_page({"metadata[team]": "a"})["data"]], store.find("c2")
    (['c1'], None)
    """

    def __init__(self) -> None:
        self._completions = BoundedDict[str, JsonObject](MAX_STORED)
        self._lock = threading.Lock()

    def add(self, completion: JsonObject) -> None:
        """Stores a completion; the oldest is dropped where there are too many."""
        with self._lock:
            self._completions[completion["id"]] = completion

    def find(self, id: str) -> JsonObject | None:
        """Returns the completion with this id, or None."""
        with self._lock:
            return self._completions.get(id)

    def list_page(self, query: Mapping[str, str]) -> JsonObject:
        """Returns the first page of the completions that match the query of the URL.

        `metadata[NAME]=VALUE` and `model` select; `limit` is the size of the page.
        """
        metadata = {
            name[9:-1]: value for name, value in query.items() if name.startswith("metadata[")
        }
        model, limit = query.get("model"), int(query.get("limit", PAGE_SIZE))
        with self._lock:
            stored = list(self._completions.values())
        matching = [
            completion
            for completion in stored
            if metadata.items() <= (completion.get("metadata") or {}).items()
            and model in (None, completion.get("model"))
        ]
        page = matching[:limit]
        ids = [completion["id"] for completion in page] or [None]
        return {
            "object": "list",
            "data": page,
            "first_id": ids[0],
            "last_id": ids[-1],
            "has_more": len(matching) > limit,
        }
