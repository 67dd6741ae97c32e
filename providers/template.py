"""The request every turn starts from: what the configuration says, before anyone has said a word."""

from turngraph.providers.config import ProviderConfig
from turngraph.state.request import Api, ChatRequest, ToolSpec

__all__ = ["request_template"]


def request_template(
    config: ProviderConfig,
    api: Api,
    *,
    tools: tuple[ToolSpec, ...] = (),
    system: str | None = None,
    stream: bool = False,
) -> ChatRequest:
    """A request to the model of `config`; `system` in place of its default system role.

    >>> config = ProviderConfig(vendor="ollama", model="llama3.2", temperature=0)
    >>> request_template(config, "chat").temperature
    0.0
    """
    return ChatRequest(
        vendor=config.vendor,
        api=api,
        model=config.model,
        system=system,
        tools=tools if config.tools else (),
        temperature=config.temperature,
        top_p=config.top_p,
        max_tokens=config.max_tokens,
        reasoning_effort=config.reasoning_effort,
        reasoning_summary=config.reasoning_summary,
        verbosity=config.text_verbosity,
        store=config.store,
        stream=stream,
        extra_body=config.extra_body,
    )
