"""Answers that the vendor itself binds to a schema, read as instances of a pydantic class."""

from collections.abc import Mapping, Sequence
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessage
from langchain_core.output_parsers import PydanticOutputParser
from langchain_core.runnables import Runnable, RunnableLambda, RunnableMap, RunnablePassthrough
from langchain_core.utils.function_calling import convert_to_openai_function, convert_to_openai_tool
from pydantic import BaseModel

if TYPE_CHECKING:
    from langchain_core.language_models import LanguageModelInput
    from langchain_openai.chat_models.base import BaseChatOpenAI

__all__ = ["parsed", "structured_by_schema"]


def structured_by_schema(
    model: "BaseChatOpenAI",
    schema: type[BaseModel],
    *,
    include_raw: bool,
    strict: bool | None,
    tools: Sequence[Any],
    said: Mapping[str, Any],
) -> "Runnable[LanguageModelInput, Any]":
    """`model`, its answers instances of `schema`; with `include_raw`, `raw`, `parsed` and
    `parsing_error`.

    strict: whether the vendor enforces the schema; it does unless told otherwise.
    tools: what the model may call instead of answering; the instance is then `None`.
    """
    binding = strict is not False
    function = convert_to_openai_function(schema, strict=binding)
    form = {"name": function["name"], "schema": function["parameters"], "strict": binding}
    asked = {
        "response_format": {"type": "json_schema", "json_schema": form},
        "ls_structured_output_format": {
            "kwargs": {"method": "json_schema", "strict": strict},
            "schema": schema,
        },
        **said,
    }
    if tools:
        asked["tools"] = [convert_to_openai_tool(tool, strict=strict) for tool in tools]
    bound = model.bind(**asked)
    parser = RunnableLambda(partial(parsed, schema=schema)).with_types(output_type=schema)
    if not include_raw:
        return bound | parser
    read = RunnablePassthrough.assign(
        parsed=itemgetter("raw") | parser, parsing_error=lambda _: None
    )
    failed = RunnablePassthrough.assign(parsed=lambda _: None)
    return RunnableMap(raw=bound) | read.with_fallbacks([failed], exception_key="parsing_error")


def parsed(message: AIMessage, schema: type[BaseModel]) -> BaseModel | None:
    """The instance in `message`; `None` where it asks for tools. Raises OpenAIRefusalError for a
    refusal.

    >>> class Sum(BaseModel):
    ...     total: int
    >>> parsed(AIMessage('{"total": 3}'), Sum)
    Sum(total=3)
    """
    if refusal := message.additional_kwargs.get("refusal"):
        from langchain_openai.chat_models.base import OpenAIRefusalError

        raise OpenAIRefusalError(refusal)
    if message.tool_calls and not message.text:
        return None
    instance: BaseModel = PydanticOutputParser(pydantic_object=schema).invoke(message)
    return instance
