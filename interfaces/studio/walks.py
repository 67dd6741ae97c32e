"""The walks that are open, and the pages that list them."""

from collections.abc import Iterator
from typing import Final

from starlette.exceptions import HTTPException

from turngraph.interfaces.studio.catalog import Entry
from turngraph.interfaces.studio.live import Audience
from turngraph.interfaces.studio.walk import SharedWalk
from turngraph.state.errors import TurnInvocationError

__all__ = ["Walks"]

_MOST_WALKS: Final = 40
"""Each walk has threads of its own and keeps every step."""


class Walks:
    """Every open walk by its id, the newest first."""

    def __init__(self) -> None:
        self._walks: dict[str, SharedWalk] = {}
        self.audience: Final = Audience()
        """The pages that list walks and graphs."""

    def __iter__(self) -> Iterator[SharedWalk]:
        return reversed(list(self._walks.values()))

    def __getitem__(self, walk_id: str) -> SharedWalk:
        """Returns a walk. Raises HTTPException (404) if it is not open."""
        if walk_id not in self._walks:
            raise HTTPException(
                404, "This run is not open here: it was closed, or the studio was started again."
            )
        return self._walks[walk_id]

    def make_room(self) -> None:
        """Closes the oldest walk that is only looked at, if there are too many: whoever may only
        look cannot close one. Raises TurnInvocationError if no further walk can be opened.
        """
        if len(self._walks) < _MOST_WALKS:
            return
        looked_at = [walk for walk in self if walk.is_for_looking]
        if looked_at:
            self.close(looked_at[-1].id)
        else:
            raise TurnInvocationError(
                f"{_MOST_WALKS} runs are open, which is the most. Close one of them first."
            )

    def add(self, walk: SharedWalk) -> None:
        """Opens a walk for every page."""
        self._walks[walk.id] = walk
        self.audience.tell("changed", "true")

    def close(self, walk_id: str) -> None:
        """Closes a walk."""
        walk = self[walk_id]
        del self._walks[walk_id]
        walk.close()
        self.audience.tell("changed", "true")

    def reload(self, entries: list[Entry]) -> None:
        """Hands what was loaded again to its walks: a graph or a problem. Every page is told."""
        named = {entry.name: entry for entry in entries}
        for walk in self:
            entry = named.get(walk.graph_name)
            if entry is not None and entry.graph is not None:
                walk.reload(entry.graph)
            elif entry is not None:
                walk.tell_problem(entry.problem)
        self.audience.tell("changed", "true")

    def close_all(self) -> None:
        """Ends every walk and every page's stream."""
        for walk in list(self):
            walk.close()
        self._walks.clear()
        self.audience.end()
