"""Finds the tool loops among the recordings and splits them into turns, from the raw JSON alone.

A request that ends with the results of an earlier answer's calls is the next call of the same turn.
A request with something new after the results is the first of the next turn, on the same thread.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from tests.replay.oracle import Call, RecordedAnswer, answer_in
from tests.replay.recordings import Recording

Item = dict[str, Any]
RESULTS = ("function_call_output", "custom_tool_call_output")


@dataclass
class RecordedTurn:
    """One recorded turn: its exchanges in order, each request with the results of the calls before
    it.
    """

    exchanges: list[Recording]
    new: list[Item]
    """The input of the turn: the whole conversation, or what is new on the thread."""
    said: list[RecordedAnswer] = field(default_factory=list)
    results: list[list[str | None]] = field(default_factory=list)
    """For each answer, the results of its calls in order; None for one that was not recorded."""
    media: bool = False
    """Whether a result held more than text, an image for example."""

    @property
    def offered(self) -> dict[str, dict[str, Any]]:
        """The offered functions by name, of all requests: some clients omit them in later ones."""
        return {f["name"]: f for each in self.exchanges for f in functions_of(body_of(each))}


@dataclass
class Thread:
    """The turns of one thread; most threads have one."""

    id: str
    vendor: str
    api: str
    turns: list[RecordedTurn]


def threads_of(recordings: list[Recording]) -> Iterator[Thread]:
    """The threads of every cassette that is a tool loop."""
    for _, cassette in groupby(recordings, key=lambda recording: recording["sequence"]["cassette"]):
        exchanges = list(cassette)
        if any(each["sequence"].get("by") == "tool_results" for each in exchanges):
            yield from threads_in(exchanges)


def threads_in(cassette: list[Recording]) -> Iterator[Thread]:
    """One thread for every path from a first exchange to a last one: some clients continued one
    answer twice.
    """
    by_index = {each["sequence"]["index"]: each for each in cassette}
    before = {each["id"]: by_index.get(each["sequence"].get("follows")) for each in cassette}
    tails = {each["id"]: tail_of(before[each["id"]], each) for each in cassette}
    followed = {
        earlier["id"]
        for id_, tail in tails.items()
        if tail is not None and (earlier := before[id_]) is not None
    }
    for last in cassette:
        if last["id"] in followed:
            continue
        way = [last]
        while tails[way[0]["id"]] is not None:
            earlier = before[way[0]["id"]]
            assert earlier is not None
            way.insert(0, earlier)
        if len(way) > 1:
            yield Thread(last["id"], last["vendor"], last["api"], list(turns_of(way, tails)))


def turns_of(way: list[Recording], tails: dict[str, list[Item] | None]) -> Iterator[RecordedTurn]:
    turn = RecordedTurn([], conversation_of(way[0]))
    for place, exchange in enumerate(way):
        if place and (new := tails[exchange["id"]]):
            yield turn
            turn = RecordedTurn([], new)
        after = way[place + 1] if place + 1 < len(way) else None
        said = answer_in(exchange)
        turn.exchanges.append(exchange)
        turn.said.append(said)
        turn.results.append(results_in(after, said.calls))
        turn.media = turn.media or (
            after is not None and any(map(is_media, brought_by(after, said.calls)))
        )
    yield turn


def tail_of(earlier: Recording | None, later: Recording) -> list[Item] | None:
    """What `later` has after the results of the calls of `earlier`; None if it does not continue
    `earlier`.
    """
    if earlier is None or later["sequence"].get("by") != "tool_results":
        return None
    said, conversation = answer_in(earlier), conversation_of(later)
    ids = {call[0] for call in said.calls}
    places = [
        n
        for n, item in enumerate(conversation)
        if (result := result_of(item)) is not None and result[0] in ids
    ]
    if not said.calls or not places or said.finish_reason == "length":
        return None
    tail = conversation[places[-1] + 1 :]
    return (
        tail
        if all(
            "role" in item and item["role"] != "tool" and not item.get("tool_calls")
            for item in tail
        )
        else None
    )


def results_in(later: Recording | None, calls: list[Call]) -> list[str | None]:
    brought = [] if later is None else brought_by(later, calls)
    last = dict(
        result for item in brought if (result := result_of(item))
    )  # an id that comes again: its last result
    return [last.get(call[0]) for call in calls]


def brought_by(later: Recording, calls: list[Call]) -> list[Item]:
    """The results of `calls` in a later request."""
    ids = {call[0] for call in calls}
    return [
        item for item in conversation_of(later) if (result := result_of(item)) and result[0] in ids
    ]


def is_media(item: Item) -> bool:
    """Whether a tool's result is a list with other parts than text."""
    content = item.get("content") if item.get("role") == "tool" else item.get("output")
    return isinstance(content, list) and not all("text" in part for part in content)


def result_of(item: Item) -> tuple[str | None, str] | None:
    """Id and text of a tool's result; None for anything else."""
    if item.get("role") == "tool":
        return item.get("tool_call_id"), text_of(item.get("content"))
    if item.get("type") in RESULTS:
        return item.get("call_id"), text_of(item.get("output"))
    return None


def text_of(content: Any) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list) and all(
        isinstance(part, dict) and "text" in part for part in content
    ):
        return "\n".join(part["text"] for part in content)
    return json.dumps(content, ensure_ascii=False)


def body_of(recording: Recording) -> dict[str, Any]:
    return (recording.get("request") or {}).get("body") or {}


def conversation_of(recording: Recording) -> list[Item]:
    """The messages or items of a recorded request."""
    return conversation_in(recording["api"], body_of(recording))


def conversation_in(api: str, body: dict[str, Any]) -> list[Item]:
    given = body.get("messages" if api == "chat" else "input") or []
    return [{"role": "user", "content": given}] if isinstance(given, str) else list(given)


def functions_of(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The functions offered in a request, as `{name, description, parameters}`."""
    for tool in body.get("tools") or []:
        if tool.get("type", "function") == "function":
            yield tool.get("function") or tool
