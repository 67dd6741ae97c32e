"""Messages that are put together from their stored fields are those that pydantic would make."""

import random
from typing import Any

import ormsgpack
import pytest
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from langgraph.checkpoint.serde.jsonplus import EXT_PYDANTIC_V2, JsonPlusSerializer

from tests.turns import ask, turn_on
from turngraph.scripted import ScriptedModel
from turngraph.state.message_decoding import decoded_list
from turngraph.state.stored import MESSAGE_CLASSES

SERIALIZER = JsonPlusSerializer(allowed_msgpack_modules=MESSAGE_CLASSES)
CALL = {"name": "add", "args": {"x": [1, None]}, "id": "c", "type": "tool_call"}
SENT = {"id": "c", "type": "function", "function": {"name": "add", "arguments": "{}"}}
USAGE = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3, "input_token_details": {}}
UNREADABLE = {**CALL, "args": "{", "error": None, "type": "invalid_tool_call"}


def stored(messages: object) -> bytes:
    return SERIALIZER.dumps_typed(messages)[1]


def slowly(encoded: bytes) -> Any:
    return SERIALIZER.loads_typed(("msgpack", encoded))


def quickly(encoded: bytes) -> Any:
    return decoded_list(encoded, slowly)


def all_of(message: BaseMessage) -> tuple[Any, ...]:
    """All that pydantic keeps of it, in its order."""
    kept = [(name, type(value), value) for name, value in vars(message).items()]
    fields = message.model_fields_set
    return type(message), kept, fields, message.__pydantic_extra__, message.__pydantic_private__


def a_message(chance: random.Random) -> BaseMessage:
    """Any message that a thread may hold, or that somebody may have edited."""
    some: Any = {
        "content": chance.choice(["", "Hi", ["Hi", {"type": "text", "text": "x"}]]),
        "additional_kwargs": chance.choice([{}, {"tool_calls": [SENT]}, {"reasoning": "r"}]),
        "response_metadata": chance.choice([{}, {"id": "r", "n": 1.5}]),
        "name": chance.choice([None, "n"]),
        "id": chance.choice(["m", None]),
        **chance.choice([{}, {}, {"own": [1]}]),
    }
    kind: Any = chance.choice([AIMessage, AIMessage, HumanMessage, SystemMessage, ToolMessage])
    if kind is AIMessage:
        some["tool_calls"] = chance.choice([[], [CALL], [CALL, {**CALL, "id": None}]])
        some["invalid_tool_calls"] = chance.choice([[], [], [UNREADABLE]])
        some["usage_metadata"] = chance.choice([None, USAGE, {**USAGE, "output_tokens": 2.0}])
    if kind is ToolMessage:
        some["tool_call_id"] = "c"
        some["artifact"] = chance.choice([None, {"a": (1, 2)}])
        some["status"] = chance.choice(["success", "error"])
    message: BaseMessage = kind(**some)
    return message


@pytest.mark.parametrize("seed", range(100))
def test_a_message_is_the_same_whichever_way_it_is_decoded(seed: int) -> None:
    chance = random.Random(seed)
    encoded = stored([a_message(chance) for _ in range(3)])
    for quick, slow in zip(quickly(encoded), slowly(encoded), strict=True):
        assert all_of(quick) == all_of(slow)


def test_the_messages_of_a_turn_are_put_together_from_their_fields() -> None:
    """What the models' validation would cost is not paid for a single one of them."""
    with ScriptedModel() as model:
        turn = turn_on(model, functions=["calculator"], system="Be brief.")
        messages = turn.invoke(ask("What is 6 * 7?"))["messages"]
    assert [message.type for message in messages] == ["human", "ai", "tool", "ai"]
    encoded = stored([SystemMessage("s", id="s"), *messages])

    def refused(*_: object) -> None:
        raise AssertionError("validated")

    with pytest.MonkeyPatch.context() as patch:
        for kind in (AIMessage, HumanMessage, SystemMessage, ToolMessage):
            patch.setattr(kind, "__init__", refused)
        decoded = decoded_list(encoded, refused)
    assert decoded[1:] == messages
    assert decoded[1].model_copy(update={"content": "x"}).content == "x"


@pytest.mark.parametrize(
    "value",
    [
        [HumanMessage("a"), "text"],
        ["text", HumanMessage("a")],
        [HumanMessage("a"), {"message": HumanMessage("b")}],
        [AIMessageChunk(content="a", id="c")],
        [1],
        [],
    ],
    ids=["a text after", "a text before", "within a dict", "a chunk", "numbers", "nothing"],
)
def test_lists_of_anything_else_are_read_by_langgraph(value: list[Any]) -> None:
    assert quickly(stored(value)) == value


def row_of(fields: dict[str, Any]) -> bytes:
    """A list of one human message as LangGraph writes it, whatever its fields are."""
    inner = (HumanMessage.__module__, "HumanMessage", fields, "model_validate_json")
    return ormsgpack.packb([ormsgpack.Ext(EXT_PYDANTIC_V2, ormsgpack.packb(inner))])


@pytest.mark.parametrize(
    "edit",
    [
        {"content": 5},
        {"name": 5},
        {"id": 5},
        {"additional_kwargs": None},
        {"type": "ai"},
        {"example": False},
        {"own": 1},
    ],
    ids=lambda edit: "-".join(edit),
)
def test_a_row_in_somebody_elses_hand_is_read_as_langgraph_reads_it(edit: dict[str, Any]) -> None:
    """Edited, damaged, or of an earlier LangChain, whose human messages had an `example`."""
    encoded = row_of({**HumanMessage("Hi", id="h").model_dump(), **edit})
    [quick], [slow] = quickly(encoded), slowly(encoded)
    assert all_of(quick) == all_of(slow)
