"""The request every turn starts from: what the configuration says, before anyone has said a word."""

from pydantic import JsonValue

from turngraph.providers.config import ProviderConfig
from turngraph.providers.vendors.builtin_tools import file_search
from turngraph.state.request import Api, ChatRequest, ToolSpec

__all__ = ["builtin_tools_of", "request_template"]


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
        builtin_tools=builtin_tools_of(config, api) if config.tools else (),
        tool_choice=config.tool_choice if config.tools else None,
        parallel_tool_calls=config.parallel_tool_calls if config.tools else None,
        temperature=config.temperature,
        top_p=config.top_p,
        max_tokens=config.max_tokens,
        stop=config.stop,
        seed=config.seed,
        logprobs=config.logprobs,
        top_logprobs=config.top_logprobs,
        response_format=config.response_format,
        reasoning_effort=config.reasoning_effort,
        reasoning_summary=config.reasoning_summary,
        verbosity=config.text_verbosity,
        store=config.store,
        stream=stream,
        extra_body=config.extra_body,
    )


def builtin_tools_of(config: ProviderConfig, api: Api) -> tuple[dict[str, JsonValue], ...]:
    """The vendor's own tools that `config` asks for; on Responses with `file_search` over its
    vector stores.
    """
    if not config.vector_store_ids or api != "responses":
        return config.builtin_tools
    return (*config.builtin_tools, file_search(config.vector_store_ids))
