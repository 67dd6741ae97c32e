"""Finds what a vendor reports as usage in an answer, and in the events of a stream."""

from collections.abc import Mapping

from turngraph.providers.reading.json_values import first_choice
from turngraph.state.json_types import member_at

__all__ = ["merged_usage", "reported_usage"]


def reported_usage(event: Mapping[str, object]) -> object:
    """The usage in an event or answer. Groq has it in a member of its own (`x_groq`), Moonshot in
    the last choice of a stream: https://console.groq.com/docs/api-reference,
    https://platform.moonshot.ai/docs/api/chat
    """
    usage = event.get("usage")
    if not usage and "x_groq" in event:
        usage = member_at(event, "x_groq.usage")
    if not usage and event.get("choices"):
        usage = first_choice(event).get("usage")
    return usage


def merged_usage(before: object, usage: object) -> object:
    """`usage`, with what only an earlier report of the same stream has.

    Reports are cumulative, so the last one counts. Gateways to Claude report the prompt first
    and the answer last, and some servers end with zeros.

        >>> merged_usage({"prompt_tokens": 9}, {"prompt_tokens": 0, "completion_tokens": 2})
        {'prompt_tokens': 9, 'completion_tokens': 2}
    """
    if not isinstance(before, dict) or not isinstance(usage, dict):
        return usage or before
    said = {name: value for name, value in usage.items() if value or name not in before}
    return {**before, **said}
