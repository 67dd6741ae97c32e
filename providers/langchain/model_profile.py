"""What a model can do, in LangChain's words: its agents choose by this how to ask for structured
answers.
"""

from typing import Any, cast

from langchain_core.language_models import ModelProfile

from turngraph.providers.capabilities import ProviderCapabilities

__all__ = ["model_profile"]


def model_profile(
    capabilities: ProviderCapabilities, known: ModelProfile | None = None
) -> ModelProfile:
    """`capabilities` as a `ModelProfile`; what LangChain has `known` of the model goes before.

    >>> from turngraph.providers.capabilities import capabilities_of
    >>> from turngraph.providers.config import ProviderConfig
    >>> made = model_profile(capabilities_of(ProviderConfig(vendor="ollama", model="llama3.2"), "chat"))
    >>> made["tool_calling"], made["image_url_inputs"]
    (True, False)
    """
    found: dict[str, Any] = {
        "text_inputs": True,
        "text_outputs": True,
        "image_inputs": capabilities.vision,
        "image_url_inputs": capabilities.image_urls,
        "audio_inputs": capabilities.audio,
        "pdf_inputs": capabilities.files,
        "reasoning_output": capabilities.reasoning,
        "tool_calling": capabilities.tools,
        "tool_choice": capabilities.named_tool_choice,
        "structured_output": capabilities.structured_output,
    }
    return cast(
        "ModelProfile",
        {name: value for name, value in found.items() if value is not None} | dict(known or {}),
    )
