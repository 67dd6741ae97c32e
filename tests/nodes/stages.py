"""What tests of single stages share: a context without a graph, and a stage run in it."""

import asyncio
import importlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage

from tests.turns import KEY
from turngraph.nodes import StageContext, TurnDependencies
from turngraph.nodes.support.stage import Stage, StageFunction
from turngraph.providers import OpenAIProvider, ProviderConfig
from turngraph.providers.request_template import request_template
from turngraph.scripted import ScriptedModel
from turngraph.state.events import TurnEvent
from turngraph.state.flow import Flow, drive, drive_async
from turngraph.state.reply import ProviderReply, ToolCall
from turngraph.state.request import ChatRequest
from turngraph.state.result import Attempt
from turngraph.state.turn import ToolTask
from turngraph.state.usage import Usage
from turngraph.tools.toolbox import Toolbox

STAGES = (
    "prep_first_request",
    "call_llm",
    "bill",
    "dispatch_tools",
    "prep_second_request",
    "finalize",
)
NOW = 1_800_000_000.0
"""The time on every clock here, in seconds since the epoch."""
QUESTION = HumanMessage("What is 6 * 7?", id="q")
REQUEST = ChatRequest(vendor="openai", api="chat", model="gpt-4o-mini")

Drive = Callable[[Flow[Any]], Any]


def _drive_async(flow: Flow[Any]) -> Any:
    return asyncio.run(drive_async(flow))


both_drivers = pytest.mark.parametrize("driver", [drive, _drive_async], ids=["sync", "async"])


@dataclass
class Flag:
    """A caller's flag, set from the beginning or after some looks at it."""

    looks_left: int = 0

    def is_set(self) -> bool:
        self.looks_left -= 1
        return self.looks_left < 0


@dataclass
class Recorder:
    """A subscriber that remembers the events of a stage."""

    events: list[TurnEvent] = field(default_factory=list)

    def __call__(self, event: TurnEvent) -> None:
        self.events.append(event)

    @property
    def types(self) -> list[str]:
        return [event.type for event in self.events]  # type: ignore[attr-defined]


def provider_for(model: ScriptedModel | None = None) -> OpenAIProvider:
    """A provider of OpenAI's gpt-4o-mini, whose requests `model` answers, or nobody."""
    base_url = "http://127.0.0.1:9" if model is None else model.base_url
    return OpenAIProvider(
        ProviderConfig(
            vendor="openai", model="gpt-4o-mini", base_url=base_url, api_key=KEY, api="chat"
        )
    )


def context_for(
    model: ScriptedModel | None = None,
    *,
    tools: tuple[Any, ...] = (),
    stream: bool = False,
    cancel: Flag | None = None,
    **options: Any,
) -> StageContext:
    """A context outside of any graph. `options` are fields of `TurnDependencies`."""
    provider, toolbox = provider_for(model), Toolbox.of(list(tools))
    template = request_template(provider.config, provider.api, tools=toolbox.specs, stream=stream)
    deps = TurnDependencies(
        provider, toolbox, **{"template": template, "clock": lambda: NOW, **options}
    )
    return StageContext(deps, task_id="task", thread_id="thread", cancel=cancel)


def run_stage(
    function: StageFunction, state: Any, context: StageContext, driver: Drive = drive
) -> dict[str, Any]:
    """The checked patch of one stage, which writes no key that its page does not name."""
    stage = Stage(function, context.deps)
    patch = stage.checked(driver(stage.flow(state, context)))
    assert patch.keys() <= documented(function.__name__, "writes")
    return patch


def documented(stage: str, column: str) -> set[str]:
    """The keys after `reads` or `writes` in the docstring of a stage's module."""
    text = importlib.import_module(f"turngraph.nodes.{stage}").__doc__ or ""
    found = re.search(rf"^{column} +(.+(?:\n +.+)*)", text, re.MULTILINE)
    assert found is not None, f"{stage} has no line `{column}`"
    return set() if found[1].startswith("nothing") else set(re.findall(r"\w+", found[1]))


def reply(text: str = "42.", **fields: Any) -> ProviderReply:
    """A complete answer of 10 and 5 tokens."""
    usage = Usage(input_tokens=10, output_tokens=5)
    return ProviderReply(**{"text": text, "usage": usage, "finish_reason": "stop", **fields})


def attempt(call: int = 1, **fields: Any) -> Attempt:
    """The first attempt at a call to the model that was answered."""
    given = {
        "id": f"call{call}.1",
        "call_id": f"call{call}",
        "number": 1,
        "request": REQUEST,
        "messages_sent": 1,
        "request_sha": "0" * 64,
        "started_at": NOW,
        "seconds": 1.0,
        "reply": reply(),
        **fields,
    }
    return Attempt(**given)


def tool_task(name: str, arguments: str = "{}", **fields: Any) -> ToolTask:
    """A task for one call of the tool `name`."""
    task = ToolTask(
        turn_id="turn",
        call=ToolCall(id="call", name=name, arguments=arguments),
        order=0,
        started_at=NOW,
        account=None,
        api_key_id=None,
        tags=[],
    )
    return {**task, **fields}  # type: ignore[typeddict-item]


def asks(*names: str, id: str = "a") -> AIMessage:
    """An assistant message that calls these tools, with their names as ids."""
    return AIMessage("", id=id, tool_calls=[{"name": n, "args": {}, "id": n} for n in names])


def ids(messages: list[AnyMessage]) -> list[str | None]:
    return [message.id for message in messages]
