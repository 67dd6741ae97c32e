"""The members of a Chat Completions message that carry a model's reasoning, for every vendor.

The standard has no such member, so each vendor chose a name. This is the one table of those names:
`reading` looks for them in answers, and `writing` sends reasoning back under exactly one of them,
the one that `Quirks.reasoning_field` or `Quirks.reasoning_parts` names for the vendor.
"""

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

__all__ = [
    "DEFAULT_TEXT_FIELD",
    "REASONING_COPIES",
    "REASONING_PART_FIELDS",
    "REASONING_TEXT_FIELDS",
    "THINK_CLOSE",
    "THINK_OPEN",
    "ReasoningPartsField",
    "ReasoningTextTarget",
]

REASONING_TEXT_FIELDS: Final = (
    # DeepSeek and most others: https://api-docs.deepseek.com/guides/thinking_mode
    "reasoning_content",
    # OpenRouter, Groq, newer vLLM: https://docs.vllm.ai/en/latest/features/reasoning_outputs/
    "reasoning",
    # GitHub Copilot: https://github.com/anomalyco/opencode/pull/8900
    "reasoning_text",
)
"""Members that hold reasoning as text. Where an answer has several, they hold the same text, and
the first of this order is read.
"""

REASONING_PART_FIELDS: Final = (
    # OpenRouter, Vercel, MiniMax: https://openrouter.ai/docs/use-cases/reasoning-tokens
    "reasoning_details",
    # LiteLLM's proxy, for Claude: https://docs.litellm.ai/docs/reasoning_content
    "thinking_blocks",
)
"""Members that hold reasoning as a list of objects, with what a text cannot carry: signatures and
encrypted reasoning. They repeat the text of the members above.
"""

REASONING_COPIES: Final[Mapping[str, frozenset[str]]] = {
    "provider_specific_fields": frozenset(
        (
            *REASONING_TEXT_FIELDS,
            *REASONING_PART_FIELDS,
            "reasoningContentBlocks",
        )
    ),
}
"""Members in which LiteLLM's proxy repeats the reasoning once more, and under which names:
https://docs.litellm.ai/docs/reasoning_content
"""

DEFAULT_TEXT_FIELD: Final = "reasoning_content"
"""Under this name reasoning is kept on a message, and sent where no other name is known."""

ReasoningTextTarget: TypeAlias = Literal[
    "reasoning_content", "reasoning", "think_tags", "as_received"
]
"""Where reasoning text is sent back: a member, between think tags before the text, or the member
it was received in.
"""

ReasoningPartsField: TypeAlias = Literal["reasoning_details", "thinking_blocks"]

THINK_OPEN: Final = "<think>"
THINK_CLOSE: Final = "</think>"
"""The tags between which open models (DeepSeek R1, Qwen, GLM, MiniMax) write their reasoning:
https://platform.minimax.io/docs/api-reference/text-openai-api
"""
