"""Recorded tool loops, run as whole turns through the graph."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any

from langchain_core.messages import BaseMessage, SystemMessage
from langchain_core.tools import BaseTool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.prebuilt import InjectedState

from tests.replay.compare_turns import Sent, turn_differences
from tests.replay.loops import RecordedTurn, Thread, body_of
from tests.replay.recordings import Recording
from tests.replay.server import ReceivedRequest, answering
from turngraph.graphs import chat_turn
from turngraph.providers.config import ProviderConfig
from turngraph.providers.openai_provider import OpenAIProvider
from turngraph.providers.vendors.profiles import VENDORS
from turngraph.providers.writing.from_chat import from_chat
from turngraph.providers.writing.from_responses import from_responses
from turngraph.state.limits import TurnLimits
from turngraph.state.result import TurnResult

KEY = "sk-replayed-recording"
NOTHING = {"type": "object", "properties": {}}
AT_ITS_END: Recording = {
    "response": {
        "status": 418,
        "headers": {},
        "body": {"error": {"message": "The recording has no further answer."}},
    }
}


@dataclass
class Tape:
    """The answers that are still to be sent, and the requests received so far."""

    answers: list[Recording] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)

    def play(self, asked: ReceivedRequest) -> Recording:
        self.sent.append(json.loads(asked.body))
        return self.answers.pop(0) if self.answers else AT_ITS_END


class RecordedTool(BaseTool):
    """A tool that returns the recorded results."""

    results: list[str | None]

    def _run(self, replayed_task: Annotated[Any, InjectedState], **arguments: Any) -> str:
        """The recorded result of the call at this place in the turn."""
        place = replayed_task["order"]
        result = self.results[place] if place < len(self.results) else None
        return "(not recorded)" if result is None else result


def replayed_turns(threads: list[Thread]) -> Iterator[tuple[Thread, list[str]]]:
    """Each thread with its differences. Every second thread runs on an event loop."""
    tape = Tape()
    with answering(lambda asked: tape.play(asked)) as host, asyncio.Runner() as runner:
        for number, thread in enumerate(threads):
            try:
                yield (
                    thread,
                    list(differences(thread, tape, f"{host}/v1", runner if number % 2 else None)),
                )
            except Exception as error:
                yield thread, [f"raised: {error!r}"]


def differences(
    thread: Thread, tape: Tape, base_url: str, runner: asyncio.Runner | None
) -> Iterator[str]:
    """Runs the turns of one thread in order, and compares each with its recording."""
    saver = InMemorySaver() if len(thread.turns) > 1 else None
    for number, turn in enumerate(thread.turns):
        tape.answers, tape.sent = list(turn.exchanges), []
        result = run(thread, turn, base_url, saver, runner)
        for difference in turn_differences(thread.api, turn, result, tape.sent):
            yield f"turn {number + 1}: {difference}"


def run(
    thread: Thread,
    turn: RecordedTurn,
    base_url: str,
    saver: InMemorySaver | None,
    runner: asyncio.Runner | None,
) -> TurnResult:
    """Runs one turn, limited to the recorded number of calls to the model."""
    graph = chat_turn(
        OpenAIProvider(config_of(thread, turn, base_url)),
        tools=tools_of(turn),
        stream=turn.exchanges[0]["streaming"],
        limits=TurnLimits(calls=len(turn.exchanges), attempts=1, tool_result_chars=10_000_000),
        checkpointer=saver,
    )
    given: Any = {"messages": messages_of(thread.api, turn)}
    config: Any = {"configurable": {"thread_id": thread.id}}
    out = (
        graph.invoke(given, config) if runner is None else runner.run(graph.ainvoke(given, config))
    )
    result = out["result"]
    assert isinstance(result, TurnResult)
    return result


def config_of(thread: Thread, turn: RecordedTurn, base_url: str) -> ProviderConfig:
    body = body_of(turn.exchanges[0])
    return ProviderConfig(
        vendor=thread.vendor if thread.vendor in VENDORS else "custom",
        model=body.get("model") or "recorded",
        base_url=base_url,
        api_key=KEY,
        api=thread.api,
        store=body.get("store"),
    )


def tools_of(turn: RecordedTurn) -> list[BaseTool]:
    results = [result for answer in turn.results for result in answer]
    return [
        RecordedTool(
            name=name,
            description=function.get("description") or "",
            args_schema=function.get("parameters") or NOTHING,
            results=results,
        )
        for name, function in turn.offered.items()
    ]


def messages_of(api: str, turn: RecordedTurn) -> list[BaseMessage]:
    """The conversation as LangChain's messages, with `instructions` as the system message."""
    read = from_chat(turn.new) if api == "chat" else from_responses(turn.new)
    instructions = body_of(turn.exchanges[0]).get("instructions")
    return (
        [SystemMessage(instructions), *read]
        if isinstance(instructions, str) and instructions
        else read
    )
