"""Remembers messages that were decoded, so that a process that goes on with a thread decodes only
what is new.

The key is the stored bytes themselves: the same bytes always decode to the same messages, whichever
thread, checkpointer or tenant they belong to, and an edited thread has other bytes. Whoever was
given a message may have changed it in place; such a list is decoded again.
"""

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Any, Final

from langchain_core.messages import BaseMessage

from turngraph.state.forks import renew_after_fork

__all__ = ["DECODED", "DecodedMessages"]

_MESSAGE_BYTES: Final = 3_000
"""What a decoded message takes beside its text, with the copy that shows whether it was changed."""


class DecodedMessages:
    """The lists of messages that were decoded last, up to about `max_bytes` of memory.

    >>> from langchain_core.messages import HumanMessage
    >>> cache = DecodedMessages(max_bytes=1_000_000)
    >>> first = cache.read(b"stored", lambda data: [HumanMessage("Hi")])
    >>> cache.read(b"stored", lambda data: [])[0] is first[0]
    True
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes, self._used = max_bytes, 0
        self._entries: OrderedDict[bytes, _Entry] = OrderedDict()
        self._lock = Lock()

    def read(self, data: bytes, decode: Callable[[bytes], Any]) -> Any:
        """Returns what `decode` makes of `data`. Lists of messages are remembered."""
        with self._lock:
            entry = self._entries.get(data)
            if entry is not None:
                self._entries.move_to_end(data)
        if entry is not None and entry.is_unchanged():
            return list(entry.messages)
        value = decode(data)
        if isinstance(value, list) and value and all(isinstance(m, BaseMessage) for m in value):
            self._keep(data, value)
        return value

    def clear(self) -> None:
        """Forgets everything. A forked process does so too: another thread of its parent may have
        held the lock.
        """
        self._lock = Lock()
        self._entries, self._used = OrderedDict(), 0

    def _keep(self, data: bytes, messages: list[BaseMessage]) -> None:
        try:
            entry = _Entry(messages)
        except _NotPlainError:
            return
        with self._lock:
            replaced = self._entries.pop(data, None)
            self._entries[data] = entry
            self._used += len(data) + entry.size
            if replaced is not None:
                self._used -= len(data) + replaced.size
            while self._used > self._max_bytes:
                oldest, dropped = self._entries.popitem(last=False)
                self._used -= len(oldest) + dropped.size


class _Entry:
    """A list of messages, and a copy of their fields as they were decoded."""

    def __init__(self, messages: list[BaseMessage]) -> None:
        self.messages = tuple(messages)
        copier = _Copier()
        self._fields = [copier.copy(vars(message)) for message in messages]
        self._extra = [copier.copy(message.__pydantic_extra__) for message in messages]
        self.size = copier.chars + _MESSAGE_BYTES * len(messages)

    def is_unchanged(self) -> bool:
        """Whether no message was edited in place since. Texts are compared by identity first."""
        # `__dict__` is what `vars` returns, in half the time.
        return self._fields == [message.__dict__ for message in self.messages] and self._extra == [
            message.__pydantic_extra__ for message in self.messages
        ]


class _NotPlainError(Exception):
    """A message holds something that is no JSON value, so that its copy would share it."""


class _Copier:
    """Copies dicts and lists of JSON values, and counts the characters of their texts."""

    def __init__(self) -> None:
        self.chars = 0

    def copy(self, value: Any) -> Any:
        copied: Any
        if type(value) is dict:
            copied = {}
            for key, item in value.items():
                kind = type(item)
                if kind is str:
                    self.chars += len(item)
                elif kind not in _ATOMS:
                    item = self.copy(item)
                copied[key] = item
            return copied
        if type(value) is list:
            return [item if type(item) in _ATOMS else self._item(item) for item in value]
        raise _NotPlainError

    def _item(self, item: Any) -> Any:
        if type(item) is str:
            self.chars += len(item)
            return item
        return self.copy(item)


_ATOMS: Final = frozenset((int, float, bool, type(None)))


DECODED: Final = DecodedMessages(max_bytes=64 * 1024 * 1024)
"""The memory of this process."""

renew_after_fork(DECODED, DecodedMessages.clear)
