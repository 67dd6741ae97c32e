"""What families of OpenAI's models do not take, by the beginning of a model's name. Other names
take everything.
"""

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from turngraph.scripted.checks import RequestError

__all__ = ["refuse_unfitting"]

SAMPLING: Final[Mapping[str, object]] = {
    "temperature": 1,
    "top_p": 1,
    "presence_penalty": 0,
    "frequency_penalty": 0,
    "logprobs": False,
    "top_logprobs": 0,
}
"""Members and the values of theirs that change nothing, which are always taken."""


class _Family(NamedTuple):
    named: re.Pattern[str]
    refused: Mapping[
        str, object
    ]  # each with its value that is taken all the same; None where there is none
    only_thinking: bool  # refused only when an effort other than `none` is asked for
    source: str


FAMILIES: Final = (
    _Family(
        re.compile(r"(o[134]|gpt-[5-9])(?!.*-chat)"),
        {"max_tokens": None},
        only_thinking=False,
        source="https://platform.openai.com/docs/api-reference/chat/create#chat-create-max_tokens",
    ),
    _Family(
        re.compile(r"(o[134]|gpt-5(?!\.))(?!.*-chat)"),
        SAMPLING,
        only_thinking=False,
        source="https://platform.openai.com/docs/guides/reasoning",
    ),
    _Family(
        re.compile(r"gpt-5\.\d(?!.*-chat)"),
        SAMPLING,
        only_thinking=True,
        source="https://platform.openai.com/docs/guides/latest-model#gpt-5-2-parameter-compatibility",
    ),
)


def refuse_unfitting(body: Mapping[str, Any], *, effort: str | None) -> None:
    """Raise RequestError for a member that the named model does not take."""
    for family in FAMILIES:
        if not family.named.match(body["model"]) or (
            family.only_thinking and effort in (None, "none")
        ):
            continue
        for name, harmless in family.refused.items():
            if name in body and body[name] != harmless:
                advice = " Use 'max_completion_tokens' instead." if name == "max_tokens" else ""
                message = (
                    f"Unsupported parameter: '{name}' is not supported with this model.{advice}"
                )
                raise RequestError(message, param=name, code="unsupported_parameter")
