"""What LangSmith is sent of a turn: a tree of runs, with the usage and the cost of each call."""

import json
import threading
from collections.abc import Iterator
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from langchain_core.callbacks import UsageMetadataCallbackHandler
from langchain_core.tracers import LangChainTracer
from langsmith import Client

from tests.turns import KEY, ainvoke, ask, invoke, turn_on
from turngraph.billing import Ledger
from turngraph.scripted import Call, Fail, Say, ScriptedModel


class LangSmith:
    """LangSmith's API on loopback, as far as runs are posted to it."""

    def __init__(self) -> None:
        self.runs: dict[str, dict[str, Any]] = {}
        self.bodies: list[bytes] = []
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                service.bodies.append(body)
                run = json.loads(body)
                name = run.get("id") or self.path.rpartition("/")[2]
                known = service.runs.setdefault(name, {})
                known.update({key: value for key, value in run.items() if value is not None})
                self.send_response(202)
                self.send_header("content-length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def do_PATCH(self) -> None:
                self.do_POST()

            def log_message(self, *_: object) -> None:
                """Nothing is printed."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        url = f"http://127.0.0.1:{self._server.server_port}"
        self.client = Client(api_url=url, api_key="k", auto_batch_tracing=False)

    def of_type(self, run_type: str) -> list[dict[str, Any]]:
        """The runs of a type, in their order."""
        runs = [run for run in self.runs.values() if run["run_type"] == run_type]
        return sorted(runs, key=lambda run: run["dotted_order"])

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def langsmith() -> Iterator[LangSmith]:
    service = LangSmith()
    yield service
    service.close()


def double(n: int) -> int:
    """Twice a number."""
    return 2 * n


@pytest.mark.parametrize(("run", "steps"), [(invoke, "each"), (ainvoke, "one")])
def test_a_turn_is_a_tree_of_runs_with_usage_and_cost(
    langsmith: LangSmith, run: Any, steps: Any
) -> None:
    """Calls to the model are runs of their own type, below the stage that makes them."""
    script = [Call(("double", {"n": 21}, "call-1")), Say("It is 42.")]
    with ScriptedModel(script) as model, Ledger("sqlite://") as ledger:
        turn = turn_on(model, tools=[double], ledger=ledger, steps=steps)
        tracer = LangChainTracer(client=langsmith.client)
        result = run(turn, ask("Double 21."), {"callbacks": [tracer]})["result"]
        tracer.wait_for_futures()
    first, second = langsmith.of_type("llm")
    for call, charge in zip((first, second), result.charges, strict=True):
        metadata = call["extra"]["metadata"]
        assert metadata["ls_provider"] == "openai"
        assert metadata["ls_model_name"] == "gpt-4o-mini"
        assert metadata["usage_metadata"]["input_tokens"] == charge.usage.input_tokens
        assert metadata["usage_metadata"]["output_tokens"] == charge.usage.output_tokens
        assert Decimal(str(metadata["usage_metadata"]["total_cost"])) == charge.amount_usd
        stage = langsmith.runs[call["parent_run_id"]]
        assert stage["name"] == ("call_llm" if steps == "each" else "prep_first_request")
    (tool,) = langsmith.of_type("tool")
    assert tool["name"] == "double"
    assert len({run["trace_id"] for run in langsmith.runs.values()}) == 1
    assert "It is 42." in json.dumps(second["outputs"])
    assert KEY.encode() not in b"".join(langsmith.bodies)


def test_a_failed_attempt_is_a_failed_run(langsmith: LangSmith) -> None:
    with ScriptedModel([Fail(503), Say("Hello.")]) as model:
        tracer = LangChainTracer(client=langsmith.client)
        ainvoke(turn_on(model), ask("Hi."), {"callbacks": [tracer]})
        tracer.wait_for_futures()
    failed, answered = langsmith.of_type("llm")
    assert "503" in failed["error"]
    assert answered.get("error") is None


def test_other_callbacks_are_told_nothing_twice() -> None:
    """LangGraph's stream gets each answer once, and who counts calls does not count a turn's."""
    with ScriptedModel([Say("one two three")]) as model:
        counter = UsageMetadataCallbackHandler()
        parts = turn_on(model, stream=True).stream(
            ask("Hi."), {"callbacks": [counter]}, stream_mode="messages"
        )
        assert "".join(chunk.content for chunk, _ in parts) == "one two three"
    assert counter.usage_metadata == {}
