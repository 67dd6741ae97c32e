"""Calls of the Responses API that wait for the caller and that a turn does not serve.

A computer, a shell, a patch, an approval at an MCP server: the vendor refuses every request that
has such a call without its output.
https://platform.openai.com/docs/api-reference/responses/create#responses-create-input
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Final

from turngraph.state.json_types import JsonMapping

__all__ = ["output_ids", "waiting_calls", "without_waiting_calls"]

_CALLER_CALLS: Final = frozenset(
    {
        "computer_call",
        "shell_call",
        "local_shell_call",
        "apply_patch_call",
        "mcp_approval_request",
        "tool_search_call",
    }
)
_OUTPUTS: Final = frozenset(
    {
        *(f"{kind}_output" for kind in _CALLER_CALLS),
        "function_call_output",
        "custom_tool_call_output",
        "tool_search_output",
        "mcp_approval_response",
    }
)
_OUTPUT_IDS: Final = ("call_id", "approval_request_id", "id")
"""The members that name the call of an output: `local_shell_call_output` has no `call_id`."""


def waiting_calls(
    items: Sequence[JsonMapping], answered: Collection[str] = ()
) -> list[JsonMapping]:
    """Returns the calls among `items` whose output is neither there nor in `answered`.

    answered: ids of calls that have an output elsewhere.

        >>> [call["type"] for call in waiting_calls([{"type": "shell_call", "call_id": "c1"}])]
        ['shell_call']
        >>> waiting_calls([{"type": "shell_call", "call_id": "c1"}], {"c1"})
        []
        >>> waiting_calls([{"type": ["not text"]}])
        []
    """
    calls = [item for item in items if str(item.get("type")) in _CALLER_CALLS and _is_ours(item)]
    if not calls:
        return []
    known = {*answered, *output_ids(items)}
    return [call for call in calls if known.isdisjoint(_ids(call, ("call_id", "id")))]


def output_ids(items: Iterable[JsonMapping]) -> set[str]:
    """Returns the ids of the calls that have an output among `items`."""
    outputs = (item for item in items if str(item.get("type")) in _OUTPUTS)
    return {id_ for item in outputs for id_ in _ids(item, _OUTPUT_IDS)}


def without_waiting_calls(
    items: Sequence[JsonMapping], answered: Collection[str]
) -> list[JsonMapping]:
    """Returns `items` without calls that wait for an output, and without the reasoning for them.

    A reasoning item is refused without the item that followed it.

        >>> items = [{"type": "reasoning"}, {"type": "computer_call", "call_id": "c1"}]
        >>> without_waiting_calls(items, ())
        []
    """
    waiting = waiting_calls(items, answered)
    if not waiting:
        return list(items)
    kept: list[JsonMapping] = []
    for item in items:
        if not any(item is call for call in waiting):
            kept.append(item)
            continue
        while kept and kept[-1].get("type") == "reasoning":
            kept.pop()
    return kept


def _is_ours(call: JsonMapping) -> bool:
    """Whether the vendor leaves `call` to the caller. Its own shells and searches it runs."""
    environment = call.get("environment")
    if isinstance(environment, dict) and environment.get("type") not in (None, "local"):
        return False
    runs_at_caller = call.get("type") != "tool_search_call" or call.get("execution") == "client"
    return runs_at_caller and call.get("output") is None


def _ids(item: JsonMapping, names: Iterable[str]) -> list[str]:
    return [value for name in names if isinstance(value := item.get(name), str)]
