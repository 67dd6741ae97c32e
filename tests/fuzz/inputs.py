"""What the targets are called with: any values, and right ones with something wrong in them."""

import copy
from collections.abc import Callable
from typing import Any, Final

from hypothesis import strategies as st

__all__ = ["anything", "bodies", "damaged", "inputs", "nested", "requests"]

WORDS: Final = (
    *("messages", "role", "content", "type", "text", "tool_calls", "id", "name", "function"),
    *("arguments", "args", "tool_call_id", "image_url", "url", "session_key", "input_text", "body"),
    *("stream", "turn_id", "settings", "model", "usage", "additional_kwargs", "status", "input"),
    *("user", "human", "assistant", "ai", "tool", "system", "developer", "remove", "lc", "kwargs"),
)


def nested(levels: int) -> Any:
    """Lists in lists."""
    value: Any = "x"
    for _ in range(levels):
        value = [value]
    return value


strange: Final = st.sampled_from(
    [
        *(None, True, False, 0, -1, 1.5, 2**64, -(2**70), 10**400, float("nan"), float("inf")),
        *("", " ", "\x00", "\ud800", "\u202e", "a" * 5_000, b"bytes", (), {1, 2}, object(), 1j),
        *(print, int, [], {}, [[]], [None], {"": None}, {1: 2}, {None: 3}, {("a",): 1}),
    ]
) | st.sampled_from([30, 90, 150, 300]).map(nested)
leaves: Final = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)

anything: Final = st.recursive(
    leaves | strange | st.sampled_from(WORDS),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=4), inner, max_size=5)
    ),
    max_leaves=10,
)

CALL: Final = {"id": "c", "type": "function", "function": {"name": "add", "arguments": "{}"}}
RIGHT: Final[list[dict[str, Any]]] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "c", "content": "3"},
    {"type": "human", "content": "Hello", "id": "m"},
    {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://a/b"}}]},
]


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The place of every value inside `value`, not too deep inside."""
    pairs: Any = ()
    if isinstance(value, dict | list) and len(path) < 12:
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
    return [path, *(deep for key, inner in pairs for deep in paths(inner, (*path, key)))]


@st.composite
def damaged(draw: st.DrawFn, right: Callable[[], Any]) -> Any:
    """What `right` returns, with up to three values replaced or taken away."""
    value = copy.deepcopy(right())
    for _ in range(draw(st.integers(0, 3))):
        path = draw(st.sampled_from(paths(value)))
        if not path:
            return draw(anything)
        parent = value
        for key in path[:-1]:
            parent = parent[key]
        if draw(st.booleans()):
            parent[path[-1]] = copy.deepcopy(draw(anything))
        else:
            del parent[path[-1]]
    return value


messages: Final = st.lists(
    st.sampled_from(RIGHT).flatmap(lambda one: damaged(lambda: one)), max_size=4
)
bodies: Final = damaged(
    lambda: {"model": "m", "messages": RIGHT[:2], "temperature": 0, "tools": [], "max_tokens": 5}
)
inputs: Final = (
    anything
    | st.fixed_dictionaries({"messages": messages | anything})
    | st.fixed_dictionaries(
        {"messages": messages},
        optional={"turn_id": anything, "settings": anything, "extra": anything},
    )
)
requests: Final = (
    anything
    | st.fixed_dictionaries({"session_key": st.text(max_size=3) | anything, "messages": messages})
    | st.fixed_dictionaries({"body": bodies})
    | st.fixed_dictionaries({"input_text": anything})
)
