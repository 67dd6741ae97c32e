"""The chat completions the scripted model has kept, for `GET /v1/chat/completions` and one of them
by its id.

https://platform.openai.com/docs/api-reference/chat/list
"""

import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final

__all__ = ["CompletionMemory"]

KEPT: Final = 1_000
PAGE: Final = 20


class CompletionMemory:
    """The last thousand completions that were to be stored. Safe to use from several threads.

    >>> memory = CompletionMemory()
    >>> memory.keep({"id": "c1", "metadata": {"team": "a"}})
    >>> [one["id"] for one in memory.listed({"metadata[team]": "a"})["data"]], memory.find("c2")
    (['c1'], None)
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Mapping[str, Any]] = OrderedDict()
        self._lock = threading.Lock()

    def keep(self, completion: Mapping[str, Any]) -> None:
        """Keep a completion; the oldest are forgotten."""
        with self._lock:
            self._kept[completion["id"]] = completion
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)

    def find(self, id: str) -> Mapping[str, Any] | None:
        """The completion of that id, or None."""
        with self._lock:
            return self._kept.get(id)

    def listed(self, query: Mapping[str, str]) -> dict[str, Any]:
        """Those that have the metadata asked for (`metadata[name]=value`), and the model, as a page
        of a list.
        """
        wanted = {
            name[9:-1]: value for name, value in query.items() if name.startswith("metadata[")
        }
        model, most = query.get("model"), int(query.get("limit", PAGE))
        with self._lock:
            kept = list(self._kept.values())
        found = [
            one
            for one in kept
            if wanted.items() <= (one.get("metadata") or {}).items()
            and model in (None, one.get("model"))
        ]
        page = found[:most]
        ids = [one["id"] for one in page] or [None]
        return {
            "object": "list",
            "data": page,
            "first_id": ids[0],
            "last_id": ids[-1],
            "has_more": len(found) > most,
        }
