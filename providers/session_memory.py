"""What a provider remembers of each session, for callers of `stream_generate` who keep no state."""

from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock
from typing import Final

from turngraph.state.base import Frozen
from turngraph.state.errors import TurnInvocationError
from turngraph.state.reply import ProviderReply
from turngraph.state.usage import Usage

__all__ = ["SessionMemory", "UsageStats"]


class UsageStats(Frozen):
    """What a session's calls used: the last one, and all of them together.

    >>> UsageStats().calls
    0
    """

    calls: int = 0
    """How many calls brought a whole answer."""
    last: Usage | None = None
    """What the last of them used, or None if the vendor reported nothing."""
    total: Usage | None = None
    """What all of them used, or None if the vendor never reported anything."""


class _Session(Frozen):
    last_response_id: str | None = None
    usage: UsageStats = UsageStats()


class SessionMemory:
    """The last response id, the usage and the vector stores of each session. It is thread-safe.

    A session is known by its id alone, so tenants must not share ids. A call without a session id
    leaves nothing here. If there are more than `max_sessions`, the one that was unused for longest
    is forgotten. Vector stores are never forgotten, because a search that silently stops would be
    worse: one session too many with vector stores is an error.

        >>> memory = SessionMemory()
        >>> memory.remember("s1", ProviderReply(response_id="resp_1", usage=Usage(total_tokens=3)))
        >>> memory.last_response_id("s1"), memory.usage("s1").total, memory.last_response_id("s2")
        ('resp_1', Usage(total_tokens=3), None)
    """

    def __init__(self, max_sessions: int = 10_000) -> None:
        self._max_sessions: Final = max_sessions
        self._lock = Lock()
        self._sessions: OrderedDict[str, _Session] = OrderedDict()
        self._vector_stores: dict[str, tuple[str, ...]] = {}

    def remember(self, session_id: str, reply: ProviderReply) -> None:
        """Keep the id of `reply` as the session's last one, and add what it used."""
        with self._lock:
            # Taking it out and putting it back moves it to the end: the first one is the oldest.
            session = self._sessions.pop(session_id, _Session())
            self._sessions[session_id] = _Session(
                last_response_id=reply.response_id, usage=_add(session.usage, reply.usage)
            )
            while len(self._sessions) > self._max_sessions:
                self._sessions.popitem(last=False)

    def last_response_id(self, session_id: str) -> str | None:
        """Returns the id of the session's last response, or None if none is remembered."""
        return self._session(session_id).last_response_id

    def usage(self, session_id: str) -> UsageStats:
        """Returns what the session used, as far as it is remembered."""
        return self._session(session_id).usage

    def set_vector_stores(self, session_id: str, ids: Sequence[str]) -> None:
        """Set the vector stores that the session's calls search. An empty `ids` removes them.

        Raises TurnInvocationError if too many sessions have vector stores.
        """
        with self._lock:
            self._vector_stores.pop(session_id, None)
            if not ids:
                return
            if len(self._vector_stores) >= self._max_sessions:
                raise TurnInvocationError(
                    f"{self._max_sessions} sessions have vector stores already. Remove those of "
                    "finished sessions by setting them to none, or make a provider for each set of "
                    "stores by `with_vector_store_ids`."
                )
            self._vector_stores[session_id] = tuple(ids)

    def vector_stores(self, session_id: str) -> tuple[str, ...]:
        """Returns the vector stores that were set for the session."""
        with self._lock:
            return self._vector_stores.get(session_id, ())

    def _session(self, session_id: str) -> _Session:
        with self._lock:
            return self._sessions.get(session_id, _Session())


def _add(stats: UsageStats, usage: Usage | None) -> UsageStats:
    total = stats.total
    if usage is not None:
        total = usage if total is None else total + usage
    return UsageStats(calls=stats.calls + 1, last=usage, total=total)
