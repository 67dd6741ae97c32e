"""The request that every turn starts from: the configuration, without a conversation."""

from pydantic import JsonValue

from turngraph.providers.config import ProviderConfig
from turngraph.providers.vendors.builtin_tools import file_search_tool
from turngraph.state.request import Api, ChatRequest, ToolSpec
from turngraph.state.response_format import response_format_of

__all__ = ["request_template"]


def request_template(
    config: ProviderConfig,
    api: Api,
    *,
    tools: tuple[ToolSpec, ...] = (),
    system: str | None = None,
    stream: bool = False,
) -> ChatRequest:
    """Returns a request with all parameters of `config`, to be sent through `api`.

    Args:
        tools: the functions that the model may call. They are left out if `config.tools` is false.
        system: the system message, in place of a leading one in the conversation. `None`: none is
            added.
        stream: whether the answer is to be streamed.

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
        builtin_tools=_builtin_tools(config, api) if config.tools else (),
        tool_choice=config.tool_choice if config.tools else None,
        parallel_tool_calls=config.parallel_tool_calls if config.tools else None,
        temperature=config.temperature,
        top_p=config.top_p,
        max_tokens=config.max_tokens,
        stop=config.stop,
        seed=config.seed,
        logprobs=config.logprobs,
        top_logprobs=config.top_logprobs,
        response_format=response_format_of(config.response_format),
        reasoning_effort=config.reasoning_effort,
        reasoning_summary=config.reasoning_summary,
        verbosity=config.text_verbosity,
        store=config.store,
        stream=stream,
        extra_body=config.extra_body,
    )


def _builtin_tools(config: ProviderConfig, api: Api) -> tuple[dict[str, JsonValue], ...]:
    """Returns the configured tools that run at the vendor.

    On Responses `file_search` over the configured vector stores is one of them.
    """
    # Chat Completions has no `file_search`, so the stores are of no use there.
    if not config.vector_store_ids or api != "responses":
        return config.builtin_tools
    return (*config.builtin_tools, file_search_tool(config.vector_store_ids))
