"""The replay itself: it serves recorded bytes, its oracle is right, and it finds differences."""

import gzip
import json
import subprocess
import sys
from decimal import Decimal
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.paths import ROOT
from tests.replay.__main__ import report
from tests.replay.compare import differences
from tests.replay.compare_sent import in_sent_back
from tests.replay.compare_turns import id_if_real
from tests.replay.kept import Kept, kept_in
from tests.replay.oracle import RecordedAnswer, answer_in
from tests.replay.record import OWN, recordings
from tests.replay.recordings import FRAMINGS, Recording, body_bytes, framed, load, wire_bytes
from tests.replay.server import serving
from turngraph.state.errors import ProviderError
from turngraph.state.reply import ProviderReply, StreamChunk, ToolCall
from turngraph.state.usage import Usage


def recording(
    id_: str = "rec_1", *, api: str = "chat", status: int = 200, **response: Any
) -> Recording:
    return {
        "id": id_,
        "vendor": "openai",
        "api": api,
        "streaming": "sse" in response,
        "request": {"body": {"model": "m", "messages": []}},
        "response": {"status": status, "headers": {"x-request-id": "req_1"}, **response},
        "sequence": {"cassette": "cas_1", "index": 0, "count": 1},
    }


def chat(content: str, **more: Any) -> dict[str, Any]:
    return {
        "id": "c1",
        "choices": [{"index": 0, "message": {"content": content} | more, "finish_reason": "stop"}],
    }


def data(*events: Any) -> list[str]:
    return [f"data: {json.dumps(event, ensure_ascii=False)}" for event in events] + ["data: [DONE]"]


STREAM = data(
    {"id": "c1", "choices": [{"index": 0, "delta": {
        "content": "Snow \N{SNOWMAN}", "reasoning": "hm"}}]},
    {"id": "c1", "choices": [{"index": 0, "delta": {"tool_calls": [
        {"index": 0, "id": "a", "function": {"name": "f", "arguments": '{"x"'}}]}}]},
    {"id": "c1", "choices": [{"index": 0, "delta": {"tool_calls": [
        {"index": 0, "function": {"arguments": ": 1}"}}]}, "finish_reason": "tool_calls"}]},
    {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 9,
                              "completion_tokens_details": {"reasoning_tokens": 4}, "cost": 0.5}},
)  # fmt: skip
SAID = RecordedAnswer(
    text="Snow \N{SNOWMAN}",
    reasoning="hm",
    calls=[("a", "f", '{"x": 1}')],
    usage={
        "input_tokens": 3,
        "output_tokens": 6,
        "total_tokens": 9,
        "reasoning_tokens": 4,
        "cost_usd": Decimal("0.5"),
    },
    finish_reason="tool_calls",
    response_id="c1",
    truncated=False,
)
READ = ProviderReply(
    text="Snow \N{SNOWMAN}",
    reasoning="hm",
    tool_calls=(ToolCall(id="a", name="f", arguments='{"x": 1}'),),
    usage=Usage(
        input_tokens=3, output_tokens=6, total_tokens=9, reasoning_tokens=4, cost_usd=Decimal("0.5")
    ),
    finish_reason="tool_calls",
    response_id="c1",
)


@pytest.mark.parametrize(
    ("response", "wire"),
    [
        ({"sse": ["data: 1", ": hi"]}, b"data: 1\n\n: hi\n\n"),
        (
            {"sse": ["event: a\ndata: 1", "data: 2"], "sse_eol": "crlf"},
            b"event: a\r\ndata: 1\r\n\r\ndata: 2\r\n\r\n",
        ),
        ({"sse": ["data: 1", "data: 2"], "sse_unterminated": True}, b"data: 1\n\ndata: 2"),
        ({"body": {"a": "\N{SNOWMAN}"}}, '{"a":"\N{SNOWMAN}"}'.encode()),
        ({"body": [], "body_leading_whitespace": 13}, b"\n          \n []"),
        ({"body_text": "<html>"}, b"<html>"),
    ],
)
def test_the_bytes_are_the_recorded_ones(response: dict[str, Any], wire: bytes) -> None:
    """They keep line ends, a missing last blank line, and blanks that keep a connection open."""
    assert body_bytes(response) == wire
    with serving({"rec_1": recording(status=418, **response)}) as base_url:
        connection = HTTPConnection(urlsplit(base_url).netloc)
        for _ in range(2):  # on one connection
            connection.request("POST", "/v1/x", b"{}", {"X-Client-Request-Id": "rec_1"})
            answer = connection.getresponse()
            assert (answer.status, answer.headers["x-request-id"], answer.read()) == (
                418,
                "req_1",
                wire,
            )
        connection.close()


def test_the_oracle_reads_what_a_person_reads() -> None:
    """It can only judge the readers if it is right itself."""
    assert answer_in(recording(sse=STREAM)) == SAID
    body = chat(
        "<think>hm</think>\n4",
        tool_calls=[{"id": "a", "function": {"name": "f", "arguments": "{}"}}],
    )
    said = answer_in(recording(body=body))
    assert (said.text, said.reasoning, said.calls) == ("4", "hm", [("a", "f", "{}")])
    refused = recording(status=429, body={"error": {"code": "insufficient_quota", "message": "?"}})
    assert answer_in(refused) == RecordedAnswer(error="quota", status=429)
    assert (
        answer_in(
            recording(sse=[*STREAM[:2], 'event: error\ndata: {"error": {"code": 429}}'])
        ).error
        == "rate_limit"
    )
    item = {"type": "message", "content": [{"type": "output_text", "text": "4"}]}
    response = {
        "id": "r",
        "status": "incomplete",
        "incomplete_details": {"reason": "max_output_tokens"},
        "output": [item],
    }
    said = answer_in(recording(api="responses", body=response))
    assert (said.text, said.finish_reason, said.truncated) == ("4", "length", False)


def test_a_reading_that_is_right_differs_in_nothing() -> None:
    """Otherwise every recording would fail."""
    assert differences(SAID, READ, None) == []


@pytest.mark.parametrize(
    "change",
    [
        {"text": "Snow"},
        {"reasoning": None},
        {"refusal": "no"},
        {"finish_reason": "stop"},
        {"response_id": "c2"},
        {"truncated": True},
        {"usage": None},
        {"usage": READ.usage.model_copy(update={"cache_read_tokens": 0})} if READ.usage else {},
        {"tool_calls": ()},
        {"tool_calls": (ToolCall(id="b", name="f", arguments='{"x": 1}'),)},
        {"tool_calls": (ToolCall(id="a", name="g", arguments='{"x": 1}'),)},
        {"tool_calls": (ToolCall(id="a", name="f", arguments='{"x":1}'),)},
    ],
    ids=str,
)
def test_a_reading_that_is_wrong_is_named(change: dict[str, Any]) -> None:
    """Every member is compared: a zero for an absent count, a blank in the arguments."""
    [difference] = differences(SAID, READ.model_copy(update=change), None)
    assert difference.startswith(f"{next(iter(change))}: ")


def test_errors_and_pieces_that_are_wrong_are_named() -> None:
    """An error instead of an answer, the reverse, another kind, chunks that do not add up."""
    error = ProviderError("?", kind="server", status=200)
    assert differences(SAID, error, None) == ["error: none recorded, server raised (?)"]
    assert differences(RecordedAnswer(error="quota"), READ, None) == [
        "error: quota recorded, none raised"
    ]
    assert differences(RecordedAnswer(error="quota", status=429), error, None) == [
        "error: quota recorded, server raised",
        "status: 429 recorded, 200 raised",
    ]


TOLD = [
    StreamChunk(type="text", text="Snow "),
    StreamChunk(type="reasoning", text="hm"),
    StreamChunk(type="text", text="\N{SNOWMAN}"),
    StreamChunk(type="tool_call", tool_call=READ.tool_calls[0]),
    StreamChunk(type="usage", usage=READ.usage),
]


@pytest.mark.parametrize("missing", range(len(TOLD)))
def test_a_piece_that_was_never_told_is_named(missing: int) -> None:
    """Pieces are what people watch; that the reply is right does not help them."""
    assert differences(SAID, READ, TOLD) == []
    [difference] = differences(SAID, READ, [*TOLD[:missing], *TOLD[missing + 1 :]])
    assert difference.startswith("chunks: ")


def test_the_oracle_knows_what_must_be_kept() -> None:
    """From pieces and from a whole message alike: sources, reasoning, what a vendor wants back."""
    detail = {"type": "reasoning.text", "text": "2+", "signature": None}
    details = [detail, {"type": "reasoning.text", "text": "2", "signature": "s"}]
    streamed = data(
        {
            "model": "m-1",
            "choices": [{"delta": {"reasoning": "2+", "reasoning_details": details[:1]}}],
        },
        {
            "model": "m-2",
            "choices": [{"delta": {"reasoning": "2", "reasoning_details": details[1:]}}],
        },
        {"service_tier": "flex", "citations": ["https://a"], "choices": []},
    )
    kept = kept_in(recording(sse=streamed))
    assert kept == Kept(
        model="m-1",
        service_tier="flex",
        citations=["https://a"],
        extra={"reasoning": "2+2", "reasoning_details": details},
    )
    whole = chat("4", annotations=[{"type": "url_citation"}], reasoning_content="2+2")
    assert kept_in(recording(body=whole)) == Kept(
        citations=[{"type": "url_citation"}], extra={"reasoning_content": "2+2"}
    )
    items = [{"type": "reasoning", "id": "rs_1", "summary": []}]
    response = {"id": "r", "model": "m", "status": "completed", "output": items}
    assert kept_in(recording(api="responses", body=response)) == Kept(model="m", items=items)
    assert kept_in(recording(status=401, body={})) is None


KEPT = Kept(
    model="m",
    service_tier="flex",
    citations=[{"url": "https://a"}],
    items=[{"type": "thinking", "thinking": [{"text": "hm"}]}],
    extra={"reasoning_details": [{"text": "2+"}, {"text": "2", "signature": "s"}]},
)
KEEPS = READ.model_copy(
    update={
        "model": "m",
        "service_tier": "flex",
        "citations": ({"type": "url_citation", "url": "https://a"},),
        "items": ({"type": "thinking", "thinking": [{"text": "hm"}]},),
        "extra": {"reasoning_details": [{"text": "2+2", "signature": "s"}]},
    }
)


@pytest.mark.parametrize(
    "change",
    [
        {"model": "n"},
        {"service_tier": None},
        {"citations": ()},
        {"items": ()},
        {"items": ({"type": "thinking", "thinking": [{"text": "h"}]},)},
        {"extra": {}},
        {"extra": {"reasoning_details": [{"text": "2+2"}]}},
        {"extra": {**KEEPS.extra, "refusal_reason": "none"}},
    ],
    ids=str,
)
def test_what_was_not_kept_is_named(change: dict[str, Any]) -> None:
    assert differences(SAID, KEEPS, TOLD, KEPT) == []
    assert len(differences(SAID, KEEPS.model_copy(update=change), TOLD, KEPT)) == 1


def test_an_answer_that_is_sent_back_changed_is_named() -> None:
    """Its text, its calls, its reasoning; ids may be others."""
    call = {"id": "b", "function": {"name": "f", "arguments": '{"x":1}'}}
    message = {"role": "assistant", "content": SAID.text, "tool_calls": [call]}
    kept = Kept(extra={"reasoning_content": "hm"})

    def found(**change: Any) -> list[str]:
        request = {"messages": [message | change, {"role": "tool", "tool_call_id": "b"}]}
        return [
            line.partition(" sent back")[0] for line in in_sent_back("chat", SAID, kept, request)
        ]

    assert found() == found(reasoning_content="hm") == []
    assert found(content="Rain") == ["text"]
    assert found(reasoning_content="h") == ["reasoning_content"]
    assert found(tool_calls=[]) == ["calls"]
    assert found(tool_calls=[{"id": "b", "function": {"name": "f", "arguments": "{}"}}]) == [
        "arguments"
    ]
    said = RecordedAnswer(calls=[("c", "f", "{}")])
    kept = Kept(items=[{"type": "reasoning", "id": "rs_1", "encrypted_content": "x"}])
    item = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
    sent = {"input": [*(kept.items or []), item]}
    assert list(in_sent_back("responses", said, kept, sent)) == []
    assert list(in_sent_back("responses", said, kept, {"input": [item]})) == [
        "reasoning rs_1 is not sent back"
    ]


def test_a_placeholder_of_a_recorder_is_no_id() -> None:
    """A request may replace it by an id of the form that the vendor takes."""
    assert id_if_real("call_REDACTED_1") is None
    assert id_if_real("call_8f3b") == "call_8f3b"


@pytest.mark.parametrize("framing", FRAMINGS)
def test_a_framing_changes_the_wire_and_not_the_answer(framing: str) -> None:
    """What is served in it holds the same events, cut or ended in another way."""
    played = framed(recording(sse=STREAM), framing)
    _, *chunks = wire_bytes(played["response"])
    sent = [chunk.split(b"\r\n", 1)[1].removesuffix(b"\r\n") for chunk in chunks[:-1]]
    assert b"".join(sent) == body_bytes(played["response"])
    snowman = "\N{SNOWMAN}".encode()
    shown = {
        "bytes": all(len(each) == 1 for each in sent),
        "characters": not any(snowman in each for each in sent),
        "crlf": sent[0].count(b"\r\n") == sent[0].count(b"\n"),
        "whole": len(sent) == 1,
        "comments": sent[0].count(b": keep-alive") == len(STREAM),
    }
    assert shown[framing]
    assert answer_in(played) == SAID


def run(folder: Path, *arguments: str) -> tuple[int, list[str]]:
    """Runs the command."""
    command = [sys.executable, "-W", "error", "-m", "tests.replay", str(folder), *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout.splitlines() or done.stderr.splitlines()


def test_the_command_counts_and_ends_with_the_count(tmp_path: Path) -> None:
    """People and continuous integration look at its last line."""
    responses = {"id": "r", "status": "completed", "output": [], "usage": {"input_tokens": 1}}
    given = [
        recording("rec_1", sse=STREAM),
        recording("rec_2", body=chat("4")),
        recording("rec_3", body=responses, api="responses"),
        recording("rec_4", status=401, body={"error": {"message": "No."}}),
    ]
    with gzip.open(tmp_path / "own.jsonl.gz", "wt") as file:
        file.writelines(json.dumps(each) + "\n" for each in given)
    assert run(tmp_path) == (0, ["4 passed, 0 failed"])
    assert run(tmp_path, "--only", "rec_2") == (0, ["1 passed, 0 failed"])
    assert run(tmp_path, "--only", "rec_9") == (
        2,
        [
            f"No recordings in `{tmp_path}` called `rec_9`. "
            "Give a folder that holds some: `make replay DIR=folder`."
        ],
    )


def test_the_scripted_model_was_recorded_as_it_is() -> None:
    """They are used where recordings of vendors are not available. To renew them, run
    `python -m tests.replay.record`.
    """
    assert [json.loads(json.dumps(each)) for each in recordings()] == load(OWN.parent)


def test_the_scripted_models_recordings_read_as_recorded() -> None:
    """Both APIs, JSON and streams, tool loops, errors and oddities."""
    code, lines = run(OWN.parent)
    assert (code, lines) == (0, [f"{len(load(OWN.parent))} passed, 0 failed"])


def test_the_report_names_failures_and_takes_exceptions_off(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An exception has a reason and is counted separately. One that is not needed, or that hides a
    crash, is a failure.
    """
    given = [recording(f"rec_{number}") for number in range(4)]
    found = {
        "rec_0": ["text: 'a' recorded, 'b' read"],
        "rec_1": ["usage: …"],
        "rec_2": ["raised: KeyError('x')"],
    }
    exceptions = {
        "rec_1": "broken by hand",
        "rec_2": "hides a crash",
        "rec_3": "not needed",
        "elsewhere": "another folder",
    }
    assert report(given, found, exceptions, tmp_path / "out.json") == 1
    assert capsys.readouterr().out.splitlines() == [
        "FAILED rec_0 (openai, chat)",
        "    text: 'a' recorded, 'b' read",
        "FAILED rec_2 (openai, chat)",
        "    raised: KeyError('x')",
        "FAILED rec_3 (openai, chat)",
        "    this exception is not needed: not needed",
        "1 excepted, with their reasons in exceptions.toml",
        "0 passed, 3 failed",
    ]
    written = json.loads((tmp_path / "out.json").read_text())
    assert (sorted(written["failed"]), written["excepted"]) == (
        ["rec_0", "rec_2", "rec_3"],
        {"rec_1": "broken by hand"},
    )
