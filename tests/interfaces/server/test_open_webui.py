"""The requests that Open WebUI's backend sends for a chat in its browser page.

See `backend/open_webui/routers/openai.py` and `tasks.py` in https://github.com/open-webui/open-webui.
It keeps `metadata` and `files` to itself; its older releases, and functions that people add to it,
send them on.
"""

import json
from base64 import b64encode
from typing import Any

import httpx2
import pytest

from tests.interfaces.server.serving import Vendor, config_of, model_config
from turngraph.interfaces.server.config import ServerConfig
from turngraph.scripted import Call, Say

HEADERS = {
    "Authorization": "Bearer acme",
    "X-OpenWebUI-User-Name": "Ada",
    "X-OpenWebUI-User-Id": "0c6d",
    "X-OpenWebUI-User-Email": "ada@example.com",
    "X-OpenWebUI-User-Role": "admin",
    "X-OpenWebUI-Chat-Id": "chat-1",
}
METADATA = {
    "user_id": "0c6d",
    "chat_id": "chat-1",
    "message_id": "m-1",
    "session_id": "s-1",
    "tool_ids": None,
    "files": None,
    "features": {"web_search": False, "image_generation": False},
    "variables": {"{{USER_NAME}}": "Ada"},
    "function_calling": "native",
}
PIXEL = b64encode(
    bytes.fromhex(
        "89504e470d0a1a0a0000000d4948445200000001000000010804000000b51c0c02"
        "0000000b4944415478da6364f80f00010501012718e3660000000049454e44ae426082"
    )
).decode()
LOCATE = {
    "type": "function",
    "function": {
        "name": "locate",
        "description": "Says where the user is.",
        "parameters": {"type": "object", "properties": {}, "required": []},
    },
}


@pytest.fixture(scope="module")
def config(vendor: Vendor) -> ServerConfig:
    return config_of({"assistant": model_config(vendor)})


def post(url: str, body: dict[str, Any]) -> httpx2.Response:
    """Asks as Open WebUI does."""
    given = {"model": "assistant", **body}
    return httpx2.post(f"{url}/v1/chat/completions", json=given, headers=HEADERS, timeout=60)


def chunks_of(answer: httpx2.Response) -> list[dict[str, Any]]:
    """The chunks of a stream, which must end as OpenAI's do."""
    assert answer.status_code == 200, answer.text
    lines = [each.removeprefix("data: ") for each in answer.text.splitlines() if each]
    assert lines.pop() == "[DONE]"
    return [json.loads(each) for each in lines]


def text_of(chunks: list[dict[str, Any]]) -> str:
    """What a stream says."""
    parts = [choice["delta"].get("content") for each in chunks for choice in each["choices"]]
    return "".join(filter(None, parts))


def test_the_models_are_listed_for_its_menu(url: str) -> None:
    listed = httpx2.get(f"{url}/v1/models", headers=HEADERS).json()
    assert [(each["id"], each["object"]) for each in listed["data"]] == [("assistant", "model")]


def test_a_chat_is_streamed_with_its_usage(url: str, vendor: Vendor) -> None:
    """With the members that only its own pages read; they go to no vendor."""
    before = vendor.play(Say("Hello Ada."))
    answer = post(
        url,
        {
            "stream": True,
            "stream_options": {"include_usage": True},
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "Hi", "files": [], "timestamp": 1},
            ],
            "metadata": METADATA,
            "files": [{"type": "file", "id": "f-1", "name": "a.txt"}],
            "chat_id": "chat-1",
            "session_id": "s-1",
            "id": "m-1",
            "features": METADATA["features"],
            "variables": METADATA["variables"],
            "background_tasks": {"title_generation": True, "tags_generation": True},
            "model_item": {"id": "assistant", "owned_by": "openai"},
            "user": {"name": "Ada", "id": "0c6d", "email": "ada@example.com", "role": "admin"},
            "params": {},
            "filter_ids": [],
            "tool_servers": [],
        },
    )
    chunks = chunks_of(answer)
    assert text_of(chunks) == "Hello Ada."
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["total_tokens"] > 0
    sent = vendor.requests[before].body
    assert [each["role"] for each in sent["messages"]] == ["system", "user"]
    assert "ada@example.com" not in json.dumps(sent)


@pytest.mark.parametrize(
    "task", ["title_generation", "tags_generation", "follow_up_generation", "query_generation"]
)
@pytest.mark.parametrize("limit", ["max_tokens", "max_completion_tokens"])
def test_its_tasks_are_answered_whole(url: str, vendor: Vendor, task: str, limit: str) -> None:
    """It reads the JSON in the answer's text."""
    vendor.play(Say('{"title": "Greetings"}'))
    prompt = "### Task:\nGenerate a concise, 3-5 word title.\n### Output:\nJSON format."
    body = {
        "messages": [{"role": "user", "content": prompt}],
        "stream": False,
        limit: 1000,
        "metadata": {**METADATA, "task": task, "task_body": {"model": "assistant"}},
    }
    answer = post(url, body).json()
    message = answer["choices"][0]["message"]
    assert json.loads(message["content"]) == {"title": "Greetings"}


def test_an_image_reaches_the_vendor(url: str, vendor: Vendor) -> None:
    before = vendor.play(Say("A dot."))
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}
    content = [{"type": "text", "text": "What is this?"}, image]
    answer = post(url, {"stream": True, "messages": [{"role": "user", "content": content}]})
    assert text_of(chunks_of(answer)) == "A dot."
    assert PIXEL in json.dumps(vendor.requests[before].body)


def test_tools_in_native_mode_are_run_by_it(url: str, vendor: Vendor) -> None:
    """It sends back what it has read from the stream, `index` and all, and an empty text."""
    vendor.play(Call(("locate", {})), Say("You are in Rome."))
    asked: list[Any] = [{"role": "user", "content": "Where am I?"}]
    body = {"stream": True, "tools": [LOCATE], "metadata": METADATA}
    chunks = chunks_of(post(url, {**body, "messages": asked}))
    [[call]] = [
        choice["delta"]["tool_calls"]
        for each in chunks
        for choice in each["choices"]
        if choice["delta"].get("tool_calls")
    ]
    asked += [
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": call["id"], "content": "Rome"},
    ]
    assert text_of(chunks_of(post(url, {**body, "messages": asked}))) == "You are in Rome."
