"""Replays a recorded turn through the graph, offline, as it was or with something changed."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from langchain_core.messages import BaseMessage, SystemMessage
from langchain_core.tools import BaseTool, StructuredTool

from turngraph.billing.pricing.prices import Prices
from turngraph.graphs.chat import chat_turn
from turngraph.interfaces.plain_text import money, one_line
from turngraph.interfaces.stepper.engine.damaged_files import damage_named
from turngraph.interfaces.stepper.engine.differences import Change, Differences, diff_states
from turngraph.interfaces.stepper.engine.stepper import Stepper
from turngraph.providers.config import ProviderConfig
from turngraph.providers.writing.from_chat import from_chat
from turngraph.providers.writing.from_responses import from_responses
from turngraph.scripted.cassettes import Cassette, RecordedExchange
from turngraph.state.errors import TurnValueError
from turngraph.state.result import TurnResult

__all__ = ["Replayed", "replay_cassette"]

Body = Mapping[str, Any]
"""The JSON of a request, in the form of either API."""

_CONFIGURED: Final = ("temperature", "top_p", "reasoning_effort", "store")
"""Members of a request that are fields of ProviderConfig."""
_WRITTEN_BY_THE_TURN: Final = frozenset(
    ("messages", "input", "instructions", "tools", "stream", "stream_options", "model")
)


@dataclass(frozen=True)
class Replayed:
    """A replayed turn, and how the requests it sent differ from the recorded ones."""

    result: TurnResult
    requests: tuple[Differences, ...]
    """For each request: the recorded one compared with the one sent now."""
    unused_answers: int
    """The number of recorded answers that no request asked for."""
    at_list_prices: TurnResult | None = None
    """The result at list prices, if other prices were given."""

    @property
    def same(self) -> bool:
        """Whether the requests are the recorded ones, no answer is unused and the cost is equal."""
        return self.unused_answers == 0 and not any(self.requests) and not self._costs_differ

    @property
    def cost_usd(self) -> Decimal | None:
        """The cost in USD at the prices given; None if nothing has a price."""
        return self.result.cost_usd

    @property
    def _costs_differ(self) -> bool:
        return (
            self.at_list_prices is not None and self.at_list_prices.cost_usd != self.result.cost_usd
        )

    def __str__(self) -> str:
        """A line for each difference, then the result."""
        lines = [
            f"request {number}: {change}"
            for number, changes in enumerate(self.requests, 1)
            for change in changes
        ]
        if self.unused_answers:
            lines.append(f"{self.unused_answers} recorded answers were not asked for")
        lines = lines or ["every request is the recorded one"]
        cost = _cost(self.result)
        if self.at_list_prices is not None:
            lines.append(f"cost: {_cost(self.at_list_prices)} → {cost}")
        lines.append(f"{self.result.status}, {cost}: {one_line(self.result.answer, 200)}")
        return "\n".join(lines)


def _cost(result: TurnResult) -> str:
    # What has no price must not look free.
    more = " and more without a price" if result.unpriced and result.cost_usd is not None else ""
    return f"{money(result.cost_usd)}{more}"


def replay_cassette(
    file: Path | str,
    *,
    model: str | None = None,
    system: str | None = None,
    prices: Prices | None = None,
) -> Replayed:
    """Replays the turn recorded in `file`. Its tools do not run; they return what is recorded.

    Args:
        file: a file that a `Recorder` wrote.
        model: send the requests to this model instead.
        system: use this system message instead.
        prices: also compute the cost at these prices.

    Raises TurnValueError if the file is no recording or holds no request.
    """
    replayed = _replay(file, model, system, prices or Prices())
    if prices is None:
        return replayed
    listed = replay_cassette(file, model=model, system=system)
    return replace(replayed, at_list_prices=listed.result)


def _replay(file: Path | str, model: str | None, system: str | None, prices: Prices) -> Replayed:
    with _load(file) as cassette:
        if not cassette.exchanges or not cassette.exchanges[0].record.get("request"):
            raise TurnValueError(f"`{file}` holds no recorded request.")
        with _as_no_recording(file):
            bodies = [exchange.record["request"]["body"] for exchange in cassette.exchanges]
            messages, recorded_system = _conversation(bodies[0])
            turn = chat_turn(
                _config(cassette.exchanges[0], cassette.base_url, model),
                tools=[_tool(spec) for spec in bodies[0].get("tools", [])],
                system=recorded_system if system is None else system,
                stream=bool(bodies[0].get("stream")),
                prices=prices,
            )
            tool_results = _tool_results(bodies)
        with Stepper(turn, {"messages": messages}) as stepper:
            _run_with_recorded_results(stepper, tool_results)
            result: TurnResult = stepper.state["result"]
        sent = [request.body for request in cassette.requests]
        # At least one: if nothing was sent, the first recorded request is reported as missing.
        requests = tuple(_differences(bodies, sent, n) for n in range(max(len(sent), 1)))
        return Replayed(result, requests, cassette.left)


def _load(file: Path | str) -> Cassette:
    with _as_no_recording(file):
        return Cassette.load(file)


def _as_no_recording(file: Path | str) -> AbstractContextManager[None]:
    """Raises TurnValueError for whatever a file that was damaged, or is none, makes go wrong."""
    remedy = "`turngraph step --record FILE` writes one."
    return damage_named(f"`{file}` is no recording", remedy)


def _run_with_recorded_results(stepper: Stepper, results: Mapping[str, str]) -> None:
    """Runs to the end; each tool call is given its recorded result and does not run."""
    while not stepper.run_until("dispatch_tools").finished:
        for task in stepper.now.pending:
            if task.call is not None:
                result = results.get(task.call.id, "No answer to this call was recorded.")
                stepper.edit(tool=task.call.id, result=result)
        stepper.step()


def _config(first: RecordedExchange, base_url: str, model: str | None) -> ProviderConfig:
    body = first.record["request"]["body"]
    configured = {name: body[name] for name in _CONFIGURED if name in body}
    config = ProviderConfig.model_validate(
        {
            **configured,
            "vendor": str(first.record.get("vendor") or "custom"),
            "base_url": base_url,
            "api": first.record["api"],
            "api_key": "replayed",
            "model": model or body["model"],
        }
    )
    # Whatever else the request held is sent again as it was.
    known = {*_WRITTEN_BY_THE_TURN, *configured}
    extra = {name: body[name] for name in body if name not in known}
    return config.model_copy(update={"extra_body": extra})


def _conversation(body: Body) -> tuple[list[BaseMessage], str | None]:
    """The messages of a request, without the system message, and the system message."""
    messages = from_chat(body["messages"]) if "messages" in body else from_responses(body["input"])
    if messages and isinstance(messages[0], SystemMessage):
        return messages[1:], messages[0].text
    return messages, body.get("instructions")


def _tool_results(bodies: Sequence[Body]) -> dict[str, str]:
    """The recorded tool results by call id; later requests repeat those of earlier ones."""
    results: dict[str, str] = {}
    for body in bodies:
        items = body["input"] if isinstance(body.get("input"), list) else ()
        for item in (*body.get("messages", ()), *items):
            if item.get("role") == "tool":  # Chat Completions
                results[item["tool_call_id"]] = str(item["content"])
            elif item.get("type") == "function_call_output":  # Responses
                results[item["call_id"]] = str(item["output"])
    return results


def _tool(spec: Mapping[str, Any]) -> BaseTool:
    """A tool with the recorded name, description and parameters. It is never run."""
    function = spec.get("function", spec)
    return StructuredTool(
        name=function["name"],
        description=function.get("description") or function["name"],
        args_schema=function.get("parameters") or {"type": "object", "properties": {}},
        func=lambda **arguments: "",
    )


def _differences(recorded: Sequence[Body], sent: Sequence[Body], n: int) -> Differences:
    if n >= len(sent):
        return Differences([Change("request", "recorded", "not sent")])
    if n >= len(recorded):
        return Differences([Change("request", "not recorded", "sent")])
    return diff_states(recorded[n], sent[n])
