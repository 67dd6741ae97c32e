"""Turns in OpenTelemetry, as a collector on a socket sees them."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from tests.interfaces.telemetry.collector import Collector, attributes
from turngraph import chat_turn
from turngraph.billing import Ledger
from turngraph.interfaces.telemetry.opentelemetry import OpenTelemetry
from turngraph.providers import ProviderConfig
from turngraph.scripted import Call, Fail, Hang, Say, ScriptedModel

QUESTION = "What is the planted-question?"
ARGUMENT = "planted-argument"


class Traced:
    """Turns on a scripted model, whose spans and metrics a collector gets."""

    def __init__(self, collector: Collector) -> None:
        self.collector = collector
        self.tracers = TracerProvider()
        exporter = OTLPSpanExporter(f"{collector.url}/v1/traces")
        self.tracers.add_span_processor(BatchSpanProcessor(exporter))
        reader = PeriodicExportingMetricReader(OTLPMetricExporter(f"{collector.url}/v1/metrics"))
        self.meters = MeterProvider([reader])

    def telemetry(self, **more: Any) -> OpenTelemetry:
        return OpenTelemetry(tracer_provider=self.tracers, meter_provider=self.meters, **more)

    def spans(self) -> dict[str, Span]:
        """All that the collector has got since it was last asked, by name."""
        self.tracers.force_flush()
        spans, self.collector.spans = self.collector.spans, []
        self.collector.bodies.clear()
        return {
            span.name: span for span in sorted(spans, key=lambda span: span.start_time_unix_nano)
        }


@pytest.fixture(scope="module")
def traced() -> Iterator[Traced]:
    with Collector() as collector:
        traced = Traced(collector)
        yield traced
        traced.tracers.shutdown()
        traced.meters.shutdown()


def lookup(word: str) -> str:
    """Looks a word up."""
    return f"the meaning of {word}"


def config(model: ScriptedModel, name: str = "gpt-5") -> ProviderConfig:
    return ProviderConfig(vendor="openai", model=name, base_url=model.base_url, api_key="sk-k")


@pytest.mark.parametrize("steps", ["one", "each"])
def test_a_turn_is_a_tree_of_spans(traced: Traced, steps: Any, tmp_path: Path) -> None:
    """The turn holds its calls, tools and ledger transactions; each request carries the id of its
    span to the vendor.
    """
    script = [Call(("lookup", {"word": ARGUMENT}, "call-1")), Say("planted-answer")]
    with ScriptedModel(script) as model, Ledger(f"sqlite:///{tmp_path}/l.db") as ledger:
        turn = chat_turn(
            config(model),
            tools=[lookup],
            ledger=ledger,
            steps=steps,
            stream=True,
            telemetry=traced.telemetry(),
            checkpointer=InMemorySaver(),
        )
        with traced.tracers.get_tracer("test").start_as_current_span("caller"):
            result = turn.run(QUESTION, thread="t1")
        sent = [request.headers["traceparent"] for request in model.requests]
    traced.tracers.force_flush()
    bodies = b"".join(traced.collector.bodies)
    chats = [span for span in traced.collector.spans if span.name == "chat gpt-5"]
    spans = traced.spans()
    whole, caller = spans["invoke_agent chat_turn"], spans["caller"]
    assert whole.parent_span_id == caller.span_id
    assert attributes(whole) == {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": "chat_turn",
        "gen_ai.conversation.id": "t1",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-5",
        "turngraph.turn.id": result.turn_id,
        "turngraph.turn.status": "completed",
        "operation.cost": float(result.cost_usd or 0),
    }
    assert {span.parent_span_id for span in (*chats, spans["execute_tool lookup"])} == {
        whole.span_id
    }
    ids = [f"00-{span.trace_id.hex()}-{span.span_id.hex()}" for span in chats]
    assert [header.rpartition("-")[0] for header in sent] == ids
    first, charge = attributes(chats[0]), result.charges[0]
    assert charge.usage is not None
    assert charge.amount_usd is not None
    assert first["gen_ai.usage.input_tokens"] == charge.usage.input_tokens
    assert first["operation.cost"] == float(charge.amount_usd)
    assert first["gen_ai.response.finish_reasons"] == ["tool_calls"]
    assert first["server.address"] == "127.0.0.1"
    assert "gen_ai.response.time_to_first_chunk" in attributes(chats[1])
    assert all(span.kind == Span.SPAN_KIND_CLIENT for span in chats)
    ledger_spans = {name for name in spans if name.startswith("ledger ")}
    assert any("begin" in name for name in ledger_spans)
    assert any("answer" in name for name in ledger_spans)
    assert all(spans[name].parent_span_id == whole.span_id for name in ledger_spans)
    for secret in (QUESTION, ARGUMENT, "planted-answer", "sk-k"):
        assert secret.encode() not in bodies


def test_content_is_recorded_only_when_it_is_asked_for(traced: Traced) -> None:
    """Messages, answers and arguments are in the form that the conventions describe."""
    script = [Call(("lookup", {"word": ARGUMENT}, "call-1")), Say("planted-answer")]
    with ScriptedModel(script) as model:
        telemetry = traced.telemetry(content=True)
        chat_turn(config(model), tools=[lookup], telemetry=telemetry).run(QUESTION)
    spans = traced.spans()
    last = attributes(spans["chat gpt-5"])
    system, *conversation = json.loads(last["gen_ai.input.messages"])
    assert system["role"] == "system"
    assert conversation == [
        {"role": "user", "parts": [{"type": "text", "content": QUESTION}]},
        {
            "role": "assistant",
            "parts": [
                {
                    "type": "tool_call",
                    "id": "call-1",
                    "name": "lookup",
                    "arguments": f'{{"word": "{ARGUMENT}"}}',
                }
            ],
        },
        {
            "role": "tool",
            "parts": [
                {
                    "type": "tool_call_response",
                    "id": "call-1",
                    "response": f"the meaning of {ARGUMENT}",
                }
            ],
        },
    ]
    assert json.loads(last["gen_ai.output.messages"]) == [
        {
            "role": "assistant",
            "parts": [{"type": "text", "content": "planted-answer"}],
            "finish_reason": "stop",
        }
    ]
    tool = attributes(spans["execute_tool lookup"])
    assert json.loads(tool["gen_ai.tool.call.arguments"]) == {"word": ARGUMENT}


def test_what_a_tool_does_is_part_of_its_span(traced: Traced) -> None:
    """A database or HTTP client that is instrumented inside a tool is found below the tool."""

    def work() -> str:
        """Works."""
        with traced.tracers.get_tracer("own").start_as_current_span("inner"):
            return "done"

    for run_async in (False, True):
        with ScriptedModel([Call(("work", {}, "c1")), Say("ok")]) as model:
            turn = chat_turn(config(model), tools=[work], telemetry=traced.telemetry())
            asyncio.run(turn.arun("Go.")) if run_async else turn.run("Go.")
        spans = traced.spans()
        assert spans["inner"].parent_span_id == spans["execute_tool work"].span_id


def test_a_failure_is_named_without_the_vendors_words(traced: Traced) -> None:
    """A vendor's message may quote the request."""
    with ScriptedModel([Fail(400, {"error": {"message": "planted-message"}})]) as model:
        chat_turn(config(model), telemetry=traced.telemetry()).run(QUESTION)
    traced.tracers.force_flush()
    assert b"planted-message" not in b"".join(traced.collector.bodies)
    spans = traced.spans()
    assert attributes(spans["chat gpt-5"])["error.type"] == "bad_request"
    for name in ("chat gpt-5", "invoke_agent chat_turn"):
        assert spans[name].status.code == Status.STATUS_CODE_ERROR


def test_a_run_that_stops_in_the_middle_leaves_no_span_open(traced: Traced) -> None:
    """A turn that waits for a person has not failed; the run that goes on is a span of its own."""
    with ScriptedModel([Call(("lookup", {"word": "w"}, "c1")), Say("ok")]) as model:
        turn = chat_turn(
            config(model),
            tools=[lookup],
            approve=True,
            telemetry=traced.telemetry(),
            checkpointer=InMemorySaver(),
        )
        turn.invoke({"messages": [("user", "Go.")]}, {"configurable": {"thread_id": "t"}})
        spans = traced.spans()
        assert spans["invoke_agent chat_turn"].status.code == Status.STATUS_CODE_UNSET
        assert "execute_tool lookup" in spans


async def test_a_run_that_is_cancelled_ends_its_spans(traced: Traced) -> None:
    sent = asyncio.Event()
    with ScriptedModel([Hang(30)]) as model:
        turn = chat_turn(
            config(model),
            telemetry=traced.telemetry(),
            on_event=lambda event: sent.set() if event.type == "request_sent" else None,
        )
        task = asyncio.create_task(turn.arun("Go."))
        await sent.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    spans = traced.spans()
    assert attributes(spans["chat gpt-5"])["error.type"] == "CancelledError"


def test_metrics_have_tokens_cost_and_times(traced: Traced) -> None:
    """Their names, units and attributes are those of the conventions."""
    with ScriptedModel([Call(("lookup", {"word": "w"}, "c1")), Say("It is so.")]) as model:
        result = chat_turn(
            config(model, "gpt-5-nano"), tools=[lookup], stream=True, telemetry=traced.telemetry()
        ).run(QUESTION)
    assert result.usage is not None
    assert result.cost_usd is not None
    traced.meters.force_flush()
    metrics = {metric.name: metric for metric in traced.collector.metrics}
    assert {name: metric.unit for name, metric in metrics.items()} == {
        "gen_ai.client.token.usage": "{token}",
        "gen_ai.client.operation.duration": "s",
        "gen_ai.client.operation.time_to_first_chunk": "s",
        "gen_ai.invoke_agent.duration": "s",
        "gen_ai.execute_tool.duration": "s",
        "operation.cost": "{USD}",
    }

    def points(name: str) -> list[Any]:
        return [
            point
            for point in metrics[name].histogram.data_points
            if attributes(point).get("gen_ai.request.model") == "gpt-5-nano"
        ]

    used = {
        attributes(point)["gen_ai.token.type"]: point
        for point in points("gen_ai.client.token.usage")
    }
    assert used["input"].sum == result.usage.input_tokens
    assert used["output"].sum == result.usage.output_tokens
    assert list(used["input"].explicit_bounds) == [4**power for power in range(14)]
    (cost,) = points("operation.cost")
    assert cost.sum == pytest.approx(float(result.cost_usd))
    assert points("gen_ai.client.operation.time_to_first_chunk")[0].count == 1  # a call has no text
