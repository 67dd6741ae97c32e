"""What a provider remembers of each session, for those who ask by session and hold no state of
their own.
"""

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
    """What a session's calls used: the last one, and all of them. `None`: the vendor reported
    nothing.

    >>> UsageStats().calls
    0
    """

    calls: int = 0
    last: Usage | None = None
    total: Usage | None = None


class _Session(Frozen):
    last_response_id: str | None = None
    usage: UsageStats = UsageStats()


class SessionMemory:
    """The last response and the usage of each session, and its vector stores. Safe to use from
    several threads.

    A session is known by its id alone, so ids must not be shared between tenants; calls that name
    no session leave nothing here. Of more than `most` sessions the one unused longest is forgotten;
    vector stores are not, since a search that silently ends would be worse: more than `most` of
    them are refused.

        >>> memory = SessionMemory()
        >>> memory.remember("s1", ProviderReply(response_id="resp_1", usage=Usage(total_tokens=3)))
        >>> memory.last_response_id("s1"), memory.usage("s1").total, memory.last_response_id("s2")
        ('resp_1', Usage(total_tokens=3), None)
    """

    def __init__(self, most: int = 10_000) -> None:
        self._most: Final = most
        self._lock = Lock()
        self._sessions: OrderedDict[str, _Session] = OrderedDict()
        self._vector_stores: dict[str, tuple[str, ...]] = {}

    def remember(self, session_id: str, reply: ProviderReply) -> None:
        """Keep that `reply` is the last one of its session, and add what it used."""
        with self._lock:
            before = self._sessions.pop(session_id, _Session())
            self._sessions[session_id] = _Session(
                last_response_id=reply.response_id, usage=_added(before.usage, reply.usage)
            )
            while len(self._sessions) > self._most:
                self._sessions.popitem(last=False)

    def last_response_id(self, session_id: str) -> str | None:
        """The id of the session's last response; `None` where there is none, or it was forgotten."""
        return self._session(session_id).last_response_id

    def usage(self, session_id: str) -> UsageStats:
        """What the session used, as far as it is remembered."""
        return self._session(session_id).usage

    def set_vector_stores(self, session_id: str, ids: Sequence[str]) -> None:
        """Search these vector stores in the session's calls; none of them ends it."""
        with self._lock:
            self._vector_stores.pop(session_id, None)
            if not ids:
                return
            if len(self._vector_stores) >= self._most:
                raise TurnInvocationError(
                    f"{self._most} sessions have vector stores already: set those of finished sessions to none, "
                    "or make a provider for each with `with_vector_store_ids`."
                )
            self._vector_stores[session_id] = tuple(ids)

    def vector_stores(self, session_id: str) -> tuple[str, ...]:
        """The vector stores set for the session."""
        with self._lock:
            return self._vector_stores.get(session_id, ())

    def _session(self, session_id: str) -> _Session:
        with self._lock:
            return self._sessions.get(session_id, _Session())


def _added(before: UsageStats, usage: Usage | None) -> UsageStats:
    total = (
        usage if before.total is None else before.total if usage is None else before.total + usage
    )
    return UsageStats(calls=before.calls + 1, last=usage, total=total)
