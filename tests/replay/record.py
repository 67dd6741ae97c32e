"""Record the scripted model, in the format of the recorded traffic: `python -m tests.replay.record`
writes `own/`.

So that the replay has something to replay where the recordings of real vendors are not at hand. Ids
and times are fixed: recording again gives the same file.
"""

import gzip
import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from turngraph.scripted import Call, Cut, Fail, Raw, Refuse, Say, ScriptedModel

OWN = Path(__file__).with_name("own") / "scripted.jsonl.gz"
HEADERS = ("content-type", "retry-after", "x-request-id")
ADD = {
    "name": "add",
    "description": "Add two numbers.",
    "parameters": {
        "type": "object",
        "properties": {"a": {"type": "number"}, "b": {"type": "number"}},
        "required": ["a", "b"],
        "additionalProperties": False,
    },
}


class Tape(NamedTuple):
    """A cassette to record: the steps of the script, one for each request."""

    name: str
    steps: tuple[Any, ...]


CHAT_ODDITIES = (
    Raw(
        ": PROCESSING\r\n\r\n"
        'data: {"choices": [{"delta": {"content": "4"}, "finish_reason": "stop"}]}\r\n\r\n'
    ),
    Raw('data: {"choices": [{"index": 0, "delta": {"content": "4"}, "finish_reason": "stop"}]}'),
    Raw(
        [
            'data: {"choices": [{"delta": {"content": "4"}}]}',
            'event: error\ndata: {"error": {"code": 429}}',
        ]
    ),
    Raw(
        "\n         " * 3 + '{"choices": [{"message": {"content": "4"}}]}',
        content_type="application/json",
    ),
    Raw("<html><h1>Bad gateway</h1></html>", content_type="text/html"),
)
TAPES = (
    Tape("answer", (Say("It is 4."),)),
    Tape("one_call", (Call(("add", {"a": 2, "b": 2}, "call_1")), Say("It is 4."))),
    Tape(
        "two_calls_then_one",
        (
            Call(
                ("add", {"a": 2, "b": 2}, "call_1"),
                ("add", {"a": 3, "b": 3}, "call_2"),
                text="Let me see.",
            ),
            Call(("add", {"a": 4, "b": 6}, "call_3")),
            Say("It is 10. \N{SNOWMAN}"),
        ),
    ),
    Tape(
        "call_that_is_no_json", (Call(("add", '{"a": 2, "b"', "call_1")), Say("I could not add."))
    ),
    Tape("reasoning", (Say("It is 4.", reasoning="Two and two."),)),
    Tape("refusal", (Refuse("I will not."),)),
    Tape("length", (Say("It is", finish_reason="length"),)),
    Tape("cut", (Cut(after=2, answer=Say("It is 4, I think."), clean=True),)),
    *(Tape(f"error_{status}", (Fail(status),)) for status in (400, 401, 429, 500, 503)),
    *(Tape(f"oddity_{number}", (step,)) for number, step in enumerate(CHAT_ODDITIES)),
)


def recordings() -> Iterator[dict[str, Any]]:
    """The exchanges of every tape, in order."""
    for api in ("chat", "responses"):
        for tape in TAPES:
            for stream in (False, True):
                if (stream or tape.name != "cut") and (
                    api == "chat" or not tape.name.startswith("oddity")
                ):
                    yield from record(tape, api, stream=stream)


def record(tape: Tape, api: str, *, stream: bool) -> Iterator[dict[str, Any]]:
    """The exchanges of one cassette."""
    name = f"own_{api}_{'sse' if stream else 'json'}_{tape.name}"
    conversation: list[dict[str, Any]] = [{"role": "user", "content": "How much is it?"}]
    with ScriptedModel(tape.steps, name=name, clock=lambda: 1_790_000_000.0, strict=True) as model:
        for index, step in enumerate(tape.steps):
            body = request_body(api, conversation, stream=stream)
            yield {
                "id": f"{name}_{index}",
                "source": {
                    "repo": "turngraph",
                    "path": "tests/replay/record.py",
                    "license": "MIT",
                    "fidelity": "wire",
                },
                "vendor": "openai",
                "api": api,
                "model": "scripted",
                "streaming": stream,
                "request": {
                    "method": "POST",
                    "host": "127.0.0.1",
                    "path": path_of(api),
                    "headers": {},
                    "body": body,
                },
                "response": answered(model.base_url, api, body),
                "sequence": {"cassette": name, "index": index, "count": len(tape.steps)}
                | ({"follows": index - 1, "by": "tool_results"} if index else {}),
                "tags": ["tools_offered", *(["streaming"] if stream else [])],
            }
            if isinstance(step, Call):
                conversation += called(api, step)


def path_of(api: str) -> str:
    return "/v1/chat/completions" if api == "chat" else "/v1/responses"


def request_body(api: str, conversation: list[dict[str, Any]], *, stream: bool) -> dict[str, Any]:
    if api == "chat":
        tools: list[dict[str, Any]] = [{"type": "function", "function": ADD}]
        body = {"model": "scripted", "messages": list(conversation), "tools": tools}
        return body | (
            {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
        )
    tools = [{"type": "function", **ADD}]
    body = {"model": "scripted", "input": list(conversation), "tools": tools}
    return body | ({"stream": True} if stream else {})


def called(api: str, step: Call) -> Iterator[dict[str, Any]]:
    """The calls and their results, as the next request holds them."""
    calls = [(str(call.id), call.name, call.arguments) for call in step.calls]
    results = [
        str(sum(json.loads(text).values())) if text.endswith("}") else "not JSON"
        for _, _, text in calls
    ]
    if api == "chat":
        made = [
            {"id": i, "type": "function", "function": {"name": n, "arguments": a}}
            for i, n, a in calls
        ]
        yield {"role": "assistant", "content": step.text or None, "tool_calls": made}
        for (id_, _, _), result in zip(calls, results, strict=True):
            yield {"role": "tool", "tool_call_id": id_, "content": result}
        return
    if step.text:
        yield {"role": "assistant", "content": step.text}
    for id_, name, arguments in calls:
        yield {"type": "function_call", "call_id": id_, "name": name, "arguments": arguments}
    for (id_, _, _), result in zip(calls, results, strict=True):
        yield {"type": "function_call_output", "call_id": id_, "output": result}


def answered(base_url: str, api: str, body: dict[str, Any]) -> dict[str, Any]:
    """The answer, in the format of a recording."""
    connection = http.client.HTTPConnection(urlsplit(base_url).netloc)
    connection.request("POST", path_of(api), json.dumps(body), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    try:
        text = answer.read().decode()
    except http.client.IncompleteRead as cut:
        text = cut.partial.decode()
    connection.close()
    headers = {name: value for name in HEADERS if (value := answer.headers[name]) is not None}
    return {"status": answer.status, "headers": headers, **content_of(text)}


def content_of(text: str) -> dict[str, Any]:
    bare = text.lstrip()
    if bare.startswith(("data:", "event:", ":")):
        end = "\r\n\r\n" if "\r\n" in text else "\n\n"
        blocks = [block.replace("\r\n", "\n") for block in text.removesuffix(end).split(end)]
        odd = ({"sse_eol": "crlf"} if "\r" in end else {}) | (
            {} if text.endswith(end) else {"sse_unterminated": True}
        )
        return {"sse": blocks, **odd}
    if not bare.startswith("{"):
        return {"body_text": text}
    blanks = len(text) - len(bare)
    return {"body": json.loads(bare), **({"body_leading_whitespace": blanks} if blanks else {})}


def main() -> None:
    """Writes the recordings."""
    OWN.parent.mkdir(exist_ok=True)
    lines = "".join(json.dumps(each, sort_keys=True) + "\n" for each in recordings())
    OWN.write_bytes(gzip.compress(lines.encode(), mtime=0))


if __name__ == "__main__":
    main()
