"""Makes ids unique in a conversation: of tool calls, in call and result, and of output items."""

import re
from collections import defaultdict, deque
from collections.abc import Collection, Iterator
from functools import lru_cache
from hashlib import sha256
from itertools import count
from typing import Final

from turngraph.state.json_types import JsonObject

__all__ = ["UniqueCallIds", "plain_id", "short_id", "without_sent_ids"]

_CALLS = ("function_call", "custom_tool_call")
_ID_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def without_sent_ids(items: list[JsonObject], sent: set[str]) -> list[JsonObject]:
    """Returns the `items` of one answer without ids that are in `sent`, and adds theirs to it.

    OpenAI refuses a conversation in which an id comes twice, as it does where an answer was
    stored twice, or where a server counts its items anew for each answer. A text or a call is
    sent without its id, and anything else that comes again is left out. A text or a call of such
    an answer has no id at all: it is looked up together with the reasoning before it.

        >>> sent = {"rs_1"}
        >>> without_sent_ids([{"type": "reasoning", "id": "rs_1"}], sent)
        []
    """
    ids = [item["id"] for item in items if item.get("id")]
    unchanged = len(set(ids)) == len(ids) and sent.isdisjoint(ids)
    kept: list[JsonObject] = []
    for item in items:
        if unchanged or item.get("id") is None:
            kept.append(item)
        elif item.get("type") in ("message", *_CALLS):
            kept.append({name: value for name, value in item.items() if name != "id"})
        elif item["id"] not in sent:
            kept.append(item)
        sent.add(item.get("id") or "")
    return kept


@lru_cache(maxsize=4096)
def plain_id(call_id: str, most: int) -> str:
    """`call_id` itself if it has at most `most` letters, digits, `_` and `-`, else an id made from
    it, so that a call and its result get the same.

    Gateways write signatures into ids, hundreds of characters long, and Kimi writes
    `functions.add:0`: in a thread that goes on at another vendor, that one refuses them.

        >>> plain_id("call_1", 40), plain_id("functions.add:0", 40)[:5]
        ('call_1', 'call_')
    """
    if re.fullmatch(rf"[A-Za-z0-9_-]{{1,{most}}}", call_id):
        return call_id
    return f"call_{short_id(call_id, 24)}"


@lru_cache(maxsize=4096)
def short_id(call_id: str, length: int) -> str:
    """An id of `length` letters and digits: `call_id` itself if it is one.

    Otherwise it is made from a hash of `call_id`, so that a call and its result get the same id,
    and a prompt cache finds the same bytes in the next request. Mistral takes exactly nine
    characters.

        >>> short_id("call_abc", 9), short_id("D681PevKs", 9)
        ('dEWh31dcd', 'D681PevKs')
    """
    if re.fullmatch(rf"[A-Za-z0-9]{{{length}}}", call_id):
        return call_id
    # A lone surrogate in an id must not raise here: the check of the whole body names its place.
    number = int.from_bytes(sha256(call_id.encode("utf-8", "surrogatepass")).digest())
    letters = []
    for _ in range(length):
        number, place = divmod(number, len(_ID_LETTERS))
        letters.append(_ID_LETTERS[place])
    return "".join(letters)


class UniqueCallIds:
    """Renames ids that an earlier call of the conversation has used.

    Servers that count the calls of each answer (`call_0`) use an id in every answer, or twice in
    one. Vendors that look for a call by its id then refuse the conversation, or take the wrong one.
    The results of calls with one id belong to them in their order.

        >>> ids = UniqueCallIds()
        >>> ids.call("call_0"), ids.call("call_0")
        ('call_0', 'call_0_2')
        >>> ids.result("call_0"), ids.result("call_0")
        ('call_0', 'call_0_2')
    """

    def __init__(self) -> None:
        self._used: set[str] = set()
        self._open: defaultdict[str, deque[str]] = defaultdict(deque)
        self._last: dict[str, str] = {}
        self._numbers: defaultdict[str, Iterator[int]] = defaultdict(lambda: count(2))

    def call(self, id_: str) -> str:
        """Returns the id to send for a call."""
        unique = id_
        while unique in self._used:
            # Counting goes on where it ended: some servers use one id in every answer of a thread.
            unique = f"{id_}_{next(self._numbers[id_])}"
        self._used.add(unique)
        self._open[id_].append(unique)
        return unique

    def result(self, id_: str) -> str:
        """Returns the id to send for the result of the first call with this id that has none."""
        if waiting := self._open[id_]:
            self._last[id_] = waiting.popleft()
        return self._last.get(id_, id_)

    def rename_messages(self, messages: Collection[JsonObject]) -> None:
        """Changes Chat Completions messages in place. They must come in their order."""
        ids = [call["id"] for message in messages for call in message.get("tool_calls") or ()]
        if self._are_unique(ids):
            return
        for message in messages:
            if calls := message.get("tool_calls"):
                message["tool_calls"] = [{**call, "id": self.call(call["id"])} for call in calls]
            if "tool_call_id" in message:
                message["tool_call_id"] = self.result(message["tool_call_id"])

    def rename_items(self, items: Collection[JsonObject]) -> None:
        """Changes Responses items in place. They must come in their order."""
        with_ids = [item for item in items if item.get("call_id") is not None]
        if self._are_unique([i["call_id"] for i in with_ids if i.get("type") in _CALLS]):
            return
        for item in with_ids:
            id_ = item["call_id"]
            item["call_id"] = self.call(id_) if item.get("type") in _CALLS else self.result(id_)

    def _are_unique(self, ids: list[str]) -> bool:
        """Whether no call has an id that another one has, as nearly always. Then each result has
        the id of its own call too.
        """
        return not self._used and len(set(ids)) == len(ids)
