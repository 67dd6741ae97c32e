"""A model's capabilities in LangChain's words.

LangChain's agents read them to choose how to ask for structured answers.
"""

from typing import cast

from langchain_core.language_models import ModelProfile

from turngraph.providers.capabilities import ProviderCapabilities

__all__ = ["model_profile"]


def model_profile(
    capabilities: ProviderCapabilities, known: ModelProfile | None = None
) -> ModelProfile:
    """Returns `capabilities` as a `ModelProfile`. What LangChain itself has `known` wins.

    >>> from turngraph.providers.capabilities import capabilities_of
    >>> from turngraph.providers.config import ProviderConfig
    >>> config = ProviderConfig(vendor="ollama", model="llama3.2")
    >>> profile = model_profile(capabilities_of(config, "chat"))
    >>> profile["tool_calling"], profile["image_url_inputs"]
    (True, False)
    """
    values = {
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
    # What is not known is left out: a missing key means the same to LangChain.
    certain = {name: value for name, value in values.items() if value is not None}
    return cast("ModelProfile", certain | dict(known or {}))
