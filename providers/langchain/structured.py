"""Structured answers: bound to a schema by the vendor, and read as pydantic instances."""

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

__all__ = ["bind_schema", "instance_in"]


def bind_schema(
    model: "BaseChatOpenAI",
    schema: type[BaseModel],
    *,
    include_raw: bool,
    strict: bool | None,
    tools: Sequence[Any],
    parameters: Mapping[str, Any],
) -> "Runnable[LanguageModelInput, Any]":
    """Returns `model` as a runnable whose output is an instance of `schema`.

    Args:
        include_raw: output an object instead: `raw` (the message), `parsed` (the instance or None)
            and `parsing_error` (the error or None).
        strict: whether the vendor enforces the schema. `None`: it does.
        tools: what the model may call instead of answering. The instance is then None.
        parameters: further parameters of every call.
    """
    enforced = strict is not False
    function = convert_to_openai_function(schema, strict=enforced)
    form = {"name": function["name"], "schema": function["parameters"], "strict": enforced}
    bindings: dict[str, Any] = {
        "response_format": {"type": "json_schema", "json_schema": form},
        # LangChain's tracers read this one; it is not sent.
        "ls_structured_output_format": {
            "kwargs": {"method": "json_schema", "strict": strict},
            "schema": schema,
        },
        **parameters,
    }
    if tools:
        bindings["tools"] = [convert_to_openai_tool(tool, strict=strict) for tool in tools]
    bound = model.bind(**bindings)
    parser = RunnableLambda(partial(instance_in, schema=schema)).with_types(output_type=schema)
    if not include_raw:
        return bound | parser
    parse = RunnablePassthrough.assign(
        parsed=itemgetter("raw") | parser, parsing_error=lambda _: None
    )
    failed = RunnablePassthrough.assign(parsed=lambda _: None)
    return RunnableMap(raw=bound) | parse.with_fallbacks([failed], exception_key="parsing_error")


def instance_in(message: AIMessage, schema: type[BaseModel]) -> BaseModel | None:
    """Returns the instance of `schema` in `message`, or None if the message calls tools instead.

    Raises OpenAIRefusalError for a refusal, and LangChain's OutputParserException for other text.

    >>> class Sum(BaseModel):
    ...     total: int
    >>> instance_in(AIMessage('{"total": 3}'), Sum)
    Sum(total=3)
    """
    if refusal := message.additional_kwargs.get("refusal"):
        from langchain_openai.chat_models.base import OpenAIRefusalError

        raise OpenAIRefusalError(refusal)
    if message.tool_calls and not message.text:
        return None
    instance: BaseModel = PydanticOutputParser(pydantic_object=schema).invoke(message)
    return instance
