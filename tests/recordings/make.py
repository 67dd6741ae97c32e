"""`python -m tests.recordings.make`: records the scripted model, the same to the byte each time.

One file for each API, one exchange a line, in the format of `turngraph.scripted.cassettes`. Every
cassette is recorded twice, as JSON and as a stream.
"""

import http.client
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from turngraph.scripted import Fail, Refuse, ScriptedModel
from turngraph.scripted.script import Step

HERE = Path(__file__).parent
APIS = ("chat", "responses")
PATHS = {"chat": "/v1/chat/completions", "responses": "/v1/responses"}
WEATHER = {
    "name": "get_current_weather",
    "description": "The weather at a place.",
    "parameters": {
        "type": "object",
        "properties": {"location": {"type": "string"}},
        "required": ["location"],
        "additionalProperties": False,
    },
    "strict": True,
}
TOOLS = {
    "chat": [{"type": "function", "function": WEATHER}],
    "responses": [{"type": "function", **WEATHER}],
}
CAPS = {"chat": "max_tokens", "responses": "max_output_tokens"}


class Tape(NamedTuple):
    """A question and the model's answer; tool calls are run, and their results are sent back."""

    name: str
    question: str
    script: tuple[Step, ...] = ()
    tools: bool = False
    cap: int | None = None


TAPES = (
    Tape("plain", "Hello, model!"),
    Tape("tool", "How warm is it in Oslo?", tools=True),
    Tape("parallel", "Compare the weather in Oslo, Rome and São Paulo.", tools=True),
    Tape("refusal", "Do harm.", (Refuse("I will not help with that."),)),
    Tape("error", "Hello?", (Fail(429, headers={"Retry-After": "2"}),)),
    Tape("length", "Say after me: one two three four five six seven eight nine ten.", cap=16),
)


def lines(api: str) -> Iterator[str]:
    """The recording of one API, an exchange a line."""
    for tape in TAPES:
        for stream in (False, True):
            name = f"{api}_{tape.name}_{'sse' if stream else 'json'}"
            exchanges = list(_exchanges(api, tape, name, stream=stream))
            for index, (asked, response, tags) in enumerate(exchanges):
                yield json.dumps(
                    _record(api, name, asked, response, tags, index, len(exchanges)),
                    ensure_ascii=False,
                )


def _exchanges(
    api: str, tape: Tape, name: str, *, stream: bool
) -> Iterator[tuple[Any, Any, list[str]]]:
    """Request, response and tags, until the model calls nothing any more."""
    with ScriptedModel(
        tape.script, name=f"rec_{name}_", pieces=4, clock=lambda: 1_700_000_000
    ) as model:
        messages: list[Any] = [{"role": "user", "content": tape.question}]
        while True:
            asked = _request(api, tape, messages, stream=stream)
            response = _post(model, PATHS[api], asked)
            added = _results(api, response)
            yield asked, response, _tags(tape, messages, added, stream=stream)
            if not added:
                return
            messages = messages + added


def _request(api: str, tape: Tape, messages: Sequence[Any], *, stream: bool) -> dict[str, Any]:
    body: dict[str, Any] = {"model": "scripted", "messages" if api == "chat" else "input": messages}
    if tape.tools:
        body["tools"] = TOOLS[api]
    if tape.cap is not None:
        body[CAPS[api]] = tape.cap
    if api == "responses":
        body["store"] = False
    elif stream:
        body["stream_options"] = {"include_usage": True}
    return body | ({"stream": True} if stream else {})


def _post(model: ScriptedModel, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", model.port)
    connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
    reply = connection.getresponse()
    text = reply.read().decode()
    connection.close()
    kept = ("content-type", "x-request-id", "retry-after")
    headers = {name.lower(): value for name, value in reply.getheaders() if name.lower() in kept}
    if headers["content-type"].startswith("application/json"):
        return {"status": reply.status, "headers": headers, "body": json.loads(text)}
    return {
        "status": reply.status,
        "headers": headers,
        "sse": text.removesuffix("\n\n").split("\n\n"),
    }


def _results(api: str, response: Mapping[str, Any]) -> list[Any]:
    """What is added to the conversation for the next request: the answer's calls and their results,
    or nothing.
    """
    calls = list(_calls(api, response))
    if api == "chat":
        results = [
            {"role": "tool", "tool_call_id": call["id"], "content": "4 °C"} for call in calls
        ]
        return (
            [{"role": "assistant", "content": None, "tool_calls": calls}, *results] if calls else []
        )
    outputs = [
        {"type": "function_call_output", "call_id": call["call_id"], "output": "4 °C"}
        for call in calls
    ]
    return [*calls, *outputs]


def _calls(api: str, response: Mapping[str, Any]) -> Iterator[Any]:
    if response["status"] != 200:
        return
    events = [
        json.loads(block.rpartition("data: ")[2])
        for block in response.get("sse", ())
        if "[DONE]" not in block
    ]
    if api == "responses":
        whole = response["body"] if "body" in response else events[-1]["response"]
        yield from (item for item in whole["output"] if item["type"] == "function_call")
    elif "body" in response:
        yield from response["body"]["choices"][0]["message"].get("tool_calls", ())
    else:
        yield from _added_up(events)


def _added_up(chunks: Sequence[Any]) -> list[Any]:
    calls: list[Any] = []
    deltas = (choice["delta"] for chunk in chunks for choice in chunk["choices"])
    for piece in (piece for delta in deltas for piece in delta.get("tool_calls", ())):
        if "id" in piece:
            calls.append({name: piece[name] for name in ("id", "type", "function")})
        else:
            calls[piece["index"]]["function"]["arguments"] += piece["function"]["arguments"]
    return calls


def _tags(tape: Tape, messages: Sequence[Any], added: Sequence[Any], *, stream: bool) -> list[str]:
    shown = {
        "streaming": stream,
        "tools_offered": tape.tools,
        "tool_calls": bool(added),
        "parallel_tool_calls": len(added) > 2,
        "tool_results_in_request": len(messages) > 1,
        "refusal": tape.name == "refusal",
        "error": tape.name == "error",
        "finish:length": tape.cap is not None,
    }
    return sorted(tag for tag, true in shown.items() if true)


def _record(
    api: str, name: str, asked: Any, response: Any, tags: list[str], index: int, count: int
) -> dict[str, Any]:
    sequence: dict[str, Any] = {"cassette": name, "index": index, "count": count}
    if index:
        sequence |= {"follows": f"{name}_{index - 1}", "by": "tool_results"}
    headers = {"content-type": "application/json"}
    return {
        "id": f"{name}_{index}",
        "source": {
            "repo": "turngraph",
            "path": "tests/recordings/make.py",
            "license": "MIT",
            "fidelity": "wire",
        },
        "vendor": "scripted",
        "api": api,
        "streaming": bool(asked.get("stream")),
        "request": {
            "method": "POST",
            "host": "127.0.0.1",
            "path": PATHS[api],
            "headers": headers,
            "body": asked,
        },
        "response": response,
        "sequence": sequence,
        "model": "scripted",
        "tags": tags,
    }


def main() -> None:
    """Write both files."""
    for api in APIS:
        (HERE / f"{api}.jsonl").write_text(
            "".join(f"{line}\n" for line in lines(api)), encoding="utf-8"
        )


if __name__ == "__main__":
    main()
