"""Runs a recorded turn again through the graph, offline: with what it was, or with something
changed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from langchain_core.messages import BaseMessage, SystemMessage
from langchain_core.tools import BaseTool, StructuredTool

from turngraph.billing.pricing.prices import Prices
from turngraph.graphs.chat import chat_turn
from turngraph.interfaces.plain_text import money, one_line
from turngraph.interfaces.stepper.engine.differences import Change, Differences, diff_states
from turngraph.interfaces.stepper.stepper import TurnStepper
from turngraph.providers.config import ProviderConfig
from turngraph.providers.writing.from_chat import from_chat
from turngraph.providers.writing.from_responses import from_responses
from turngraph.scripted.cassettes import Cassette, RecordedExchange
from turngraph.state.errors import TurnValueError
from turngraph.state.result import TurnResult

__all__ = ["Replayed", "replay_cassette"]


@dataclass(frozen=True)
class Replayed:
    """A turn that was run again, and how what it sent differs from what was recorded."""

    result: TurnResult
    requests: tuple[Differences, ...]
    """For each request: recorded against sent now."""
    left: int
    """Recorded answers that nobody asked for."""
    listed: TurnResult | None = None
    """The result at the list prices, where other prices were given."""

    @property
    def same(self) -> bool:
        """Whether every request was sent as it was recorded, every answer was used, and the cost is
        what it was.
        """
        return self.left == 0 and not any(self.requests) and not self._costs_otherwise

    @property
    def cost_usd(self) -> Decimal | None:
        """What it costs at the prices given."""
        return self.result.cost_usd

    @property
    def _costs_otherwise(self) -> bool:
        return self.listed is not None and self.listed.cost_usd != self.cost_usd

    def __str__(self) -> str:
        """What differs, and the result."""
        lines = [
            f"request {n}: {change}"
            for n, changes in enumerate(self.requests, 1)
            for change in changes
        ]
        lines += [f"{self.left} recorded answers were not asked for"] if self.left else []
        lines = lines or ["every request is the recorded one"]
        lines += (
            [f"cost: {_cost(self.listed)} → {_cost(self.result)}"]
            if self.listed is not None
            else []
        )
        return "\n".join(
            [
                *lines,
                f"{self.result.status}, {_cost(self.result)}: {one_line(self.result.answer, 200)}",
            ]
        )


def _cost(result: TurnResult) -> str:
    """What it costs; where only a part has a price, that the rest is not free."""
    more = " and more without a price" if result.unpriced and result.cost_usd is not None else ""
    return f"{money(result.cost_usd)}{more}"


def replay_cassette(
    file: Path | str,
    *,
    model: str | None = None,
    system: str | None = None,
    prices: Prices | None = None,
) -> Replayed:
    """Run the turn recorded in `file` again. Its tools do not run: they answer what they answered.

    Args:
        file: what a `Recorder` wrote.
        model: ask for this model instead.
        system: with this system message instead.
        prices: what it would cost at these prices.

    Raises TurnValueError for a file without a request.
    """
    replayed = _replayed(file, model, system, prices or Prices())
    if prices is None:
        return replayed
    listed = replay_cassette(file, model=model, system=system)
    return replace(replayed, listed=listed.result)


def _replayed(file: Path | str, model: str | None, system: str | None, prices: Prices) -> Replayed:
    with _loaded(file) as cassette:
        if not cassette.exchanges or not cassette.exchanges[0].record.get("request"):
            raise TurnValueError(f"`{file}` holds no recorded request.")
        first = cassette.exchanges[0]
        bodies = [exchange.record["request"]["body"] for exchange in cassette.exchanges]
        config = _config(first, cassette.base_url, model)
        messages, recorded = _conversation(bodies[0])
        answers = _tool_answers(bodies)
        turn = chat_turn(
            config,
            tools=[_tool(spec) for spec in bodies[0].get("tools", [])],
            system=recorded if system is None else system,
            stream=bool(bodies[0].get("stream")),
            prices=prices,
        )
        with TurnStepper(turn, {"messages": messages}) as stepper:
            _walk(stepper, answers)
            result: TurnResult = stepper.state["result"]
        sent = [request.body for request in cassette.requests]
        pairs = [_differences(bodies, sent, n) for n in range(max(len(sent), 1))]
        return Replayed(result, tuple(pairs), cassette.left)


def _loaded(file: Path | str) -> Cassette:
    try:
        return Cassette.load(file)
    except (ValueError, LookupError, TypeError, AttributeError) as exc:
        raise TurnValueError(
            f"`{file}` is no recording: `turngraph step --record FILE` writes one."
        ) from exc


def _walk(stepper: TurnStepper, answers: Mapping[str, str]) -> None:
    """To the end, every tool call answered as it was."""
    while not stepper.run_until("dispatch_tools").finished:
        for task in stepper.now.pending:
            if task.call is not None:
                told = answers.get(task.call.id, "No answer to this call was recorded.")
                stepper.edit(tool=task.call.id, result=told)
        stepper.step()


def _config(first: RecordedExchange, base_url: str, model: str | None) -> ProviderConfig:
    body, vendor = first.record["request"]["body"], str(first.record.get("vendor") or "custom")
    known = {
        name: body[name]
        for name in ("temperature", "top_p", "reasoning_effort", "store")
        if name in body
    }
    fields = {
        **known,
        "vendor": vendor,
        "base_url": base_url,
        "api": first.record["api"],
        "api_key": "replayed",
    }
    config = ProviderConfig.model_validate({**fields, "model": model or body["model"]})
    own = {
        "messages",
        "input",
        "instructions",
        "tools",
        "stream",
        "stream_options",
        "model",
        *known,
    }
    return config.model_copy(
        update={"extra_body": {name: body[name] for name in body if name not in own}}
    )


def _conversation(body: Mapping[str, Any]) -> tuple[list[BaseMessage], str | None]:
    """What was asked, and the system message above it."""
    messages = from_chat(body["messages"]) if "messages" in body else from_responses(body["input"])
    if messages and isinstance(messages[0], SystemMessage):
        return messages[1:], messages[0].text
    return messages, body.get("instructions")


def _tool_answers(bodies: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for body in bodies:
        for item in (
            *body.get("messages", ()),
            *(body["input"] if isinstance(body.get("input"), list) else ()),
        ):
            if item.get("role") == "tool":
                found[item["tool_call_id"]] = str(item["content"])
            elif item.get("type") == "function_call_output":
                found[item["call_id"]] = str(item["output"])
    return found


def _tool(spec: Mapping[str, Any]) -> BaseTool:
    """A tool as it was offered. It is never run."""
    function = spec.get("function", spec)
    return StructuredTool(
        name=function["name"],
        description=function.get("description") or function["name"],
        args_schema=function.get("parameters") or {"type": "object", "properties": {}},
        func=lambda **given: "",
    )


def _differences(bodies: Sequence[Any], sent: Sequence[Any], n: int) -> Differences:
    if n >= len(sent):
        return Differences([Change("request", "recorded", "not sent")])
    if n >= len(bodies):
        return Differences([Change("request", "not recorded", "sent")])
    return diff_states(bodies[n], sent[n])
