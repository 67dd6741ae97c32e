"""LangChain's ChatOpenAI, in the newest release, against the server at argv[1], over both APIs:
text, stream, tools, structured output and errors. `make server-clients`.

The suite runs LangChain's own integration tests, with the release of the lock.
"""

import sys
from typing import Any

import openai
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel


class City(BaseModel):
    """What is asked for."""

    name: str


@tool
def locate() -> str:
    """Says where the user is."""
    return "Rome"


def model(name: str, *, responses: bool) -> ChatOpenAI:
    """A model of the server."""
    place: Any = {"base_url": f"{sys.argv[1]}/v1", "api_key": "acme", "max_retries": 0}
    return ChatOpenAI(model=name, use_responses_api=responses, stream_usage=True, **place)


for responses in (False, True):
    asked = model("assistant", responses=responses)
    whole = asked.invoke("What is 6 * 7?")
    assert "42" in whole.text
    assert whole.usage_metadata is not None

    pieces = [*asked.stream("What is 6 * 7?")]
    assert "42" in "".join(piece.text for piece in pieces)
    assert len(pieces) > 3
    assert any(piece.usage_metadata for piece in pieces)

    messages: list[Any] = [HumanMessage("Call locate.")]
    messages.append(asked.bind_tools([locate]).invoke(messages))
    [call] = messages[-1].tool_calls
    messages.append(ToolMessage(locate.invoke(call["args"]), tool_call_id=call["id"]))
    assert "Rome" in asked.bind_tools([locate]).invoke(messages).text

    formed = asked.with_structured_output(City, method="json_schema").invoke("Name a city.")
    assert isinstance(formed, City)

    try:
        model("nobody", responses=responses).invoke("Hi")
    except openai.NotFoundError:
        pass
    else:
        raise AssertionError("a model that is not served was asked")
    print(f"langchain-openai: {'Responses' if responses else 'Chat Completions'} ok")
