"""One answer asks for 32 tools, and most of them misbehave: the turn ends, every call answered, in
order.
"""

import asyncio
import threading

import pytest

from turngraph.graphs.chat import chat_turn
from turngraph.providers.config import ProviderConfig
from turngraph.scripted import Call, Say, ScriptedModel
from turngraph.state.limits import TurnLimits

SECONDS = 10
"""How long a tool may take. Text of 50 MB takes a second on a busy machine."""
KINDS = ["hang", "ahang", "fail", "flood", "strange", "double", "unknown", "wrong"]
TOLD = {
    "hang": f"did not answer within {SECONDS} seconds",
    "ahang": f"did not answer within {SECONDS} seconds",
    "fail": "RuntimeError: broken",
    "flood": "characters left out",
    "strange": "has no JSON form",
    "unknown": "No tool named `unknown`",
    "wrong": 'is not of type "integer"',
}


@pytest.mark.parametrize("way", ["sync", "async"])
async def test_32_calls_of_every_bad_kind_end_in_a_completed_turn(way: str) -> None:
    """Some hang, raise, return 50 MB or what has no JSON, are unknown or wrongly called; the rest
    are served.
    """
    release = threading.Event()

    def hang() -> None:
        """Hang."""
        release.wait()

    async def ahang() -> None:
        """Hang."""
        await asyncio.sleep(3600)

    def fail() -> None:
        """Fail."""
        raise RuntimeError("broken")

    def flood() -> str:
        """Flood."""
        return "x" * 50_000_000

    def strange() -> object:
        """Give something strange."""
        return object()

    def double(n: int) -> int:
        """Twice the number."""
        return 2 * n

    names = KINDS * 4
    arguments = [
        {"n": at} if name == "double" else {"n": "x"} if name == "wrong" else {}
        for at, name in enumerate(names)
    ]
    asked = [
        ("double" if name == "wrong" else name, given)
        for name, given in zip(names, arguments, strict=True)
    ]
    with ScriptedModel([Call(*asked), Say("Done.")]) as model:
        turn = chat_turn(
            ProviderConfig(model="scripted", base_url=model.base_url),
            tools=[hang, ahang, fail, flood, strange, double],
            limits=TurnLimits(tool_seconds=SECONDS, tool_result_chars=500),
        )
        given = {"messages": [("user", "All of it.")]}
        out = (
            await asyncio.to_thread(turn.invoke, given)
            if way == "sync"
            else await turn.ainvoke(given)
        )
    release.set()
    assert out["result"].answer == "Done."
    messages = [message for message in out["messages"] if message.type == "tool"]
    assert len(messages) == len(out["result"].tool_runs) == 32
    for at, (name, message) in enumerate(zip(names, messages, strict=True)):
        assert TOLD.get(name, str(2 * at)) in message.content, name
        assert len(message.content) <= 500
