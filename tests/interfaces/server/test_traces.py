"""The trace of a client goes through the server and on to the vendor."""

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.interfaces.server.serving import Vendor, client, config_of, model_config, serving
from turngraph.interfaces.telemetry.opentelemetry import OpenTelemetry
from turngraph.scripted import Say

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def test_a_clients_trace_goes_on_to_the_vendor() -> None:
    """The turn is a child of the client's span, and the vendor sees the client's trace."""
    spans, tracers = InMemorySpanExporter(), TracerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(spans))
    telemetry = OpenTelemetry(tracer_provider=tracers)
    with Vendor([Say("Hello!")] * 2) as vendor:
        config = config_of({"small": model_config(vendor)})
        with serving(config, telemetry=telemetry) as url, client(url) as asks:
            for headers in ({"traceparent": f"00-{TRACE}-{SPAN}-01"}, {}):
                asks.chat.completions.create(
                    model="small",
                    messages=[{"role": "user", "content": "Hi"}],
                    extra_headers=headers,
                )
        first, second = (request.headers["traceparent"] for request in vendor.requests)
    assert first.split("-")[1] == TRACE != second.split("-")[1]
    turns = [span for span in spans.get_finished_spans() if span.name == "invoke_agent small"]
    parents = [span.parent and f"{span.parent.span_id:016x}" for span in turns]
    assert parents == [SPAN, None]
