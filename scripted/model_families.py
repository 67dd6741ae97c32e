"""Which members each family of OpenAI models refuses, found by the beginning of the model's name.

A model of no known family takes every member.
"""

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from turngraph.scripted.checks import RequestError

__all__ = ["check_model_support"]

SAMPLING: Final[Mapping[str, object]] = {
    "temperature": 1,
    "top_p": 1,
    "presence_penalty": 0,
    "frequency_penalty": 0,
    "logprobs": False,
    "top_logprobs": 0,
}
"""Sampling members, each with its default value. A default changes nothing, so it is never refused.
"""


class _Family(NamedTuple):
    """A family of models and the members that it refuses."""

    pattern: re.Pattern[str]
    """Matches the beginning of the model's name."""
    refused: Mapping[str, object]
    """Each refused member, with the one value that is taken all the same (None: no value is)."""
    reasoning_only: bool
    """Whether the members are refused only beside a reasoning effort other than `none`."""
    source: str


FAMILIES: Final = (
    _Family(
        re.compile(r"(o[134]|gpt-[5-9])(?!.*-chat)"),
        {"max_tokens": None},
        reasoning_only=False,
        source="https://platform.openai.com/docs/api-reference/chat/create#chat-create-max_tokens",
    ),
    _Family(
        re.compile(r"(o[134]|gpt-5(?!\.))(?!.*-chat)"),
        SAMPLING,
        reasoning_only=False,
        source="https://platform.openai.com/docs/guides/reasoning",
    ),
    _Family(
        re.compile(r"gpt-5\.\d(?!.*-chat)"),
        SAMPLING,
        reasoning_only=True,
        source="https://platform.openai.com/docs/guides/latest-model#gpt-5-2-parameter-compatibility",
    ),
)


def check_model_support(body: Mapping[str, Any], *, effort: str | None) -> None:
    """Raises RequestError for a member that the model named in `body` does not support."""
    for family in FAMILIES:
        applies = not family.reasoning_only or effort not in (None, "none")
        if not (applies and family.pattern.match(body["model"])):
            continue
        for name, harmless in family.refused.items():
            if name in body and body[name] != harmless:
                advice = " Use 'max_completion_tokens' instead." if name == "max_tokens" else ""
                message = f"Unsupported parameter: '{name}' is not supported with this model."
                raise RequestError(message + advice, param=name, code="unsupported_parameter")
