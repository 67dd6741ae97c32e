"""Lists of items from outside, page by page: OpenAI's own client turns the pages."""

from collections.abc import Iterator
from typing import Any

import httpx2
import openai
import pytest
from openai.types.conversations import ConversationItemList
from openai.types.responses import ResponseItem, ResponseItemList
from pydantic import TypeAdapter

from tests.interfaces.server.serving import Vendor, client, serving
from tests.interfaces.server.test_responses import LOCATE, configuration
from turngraph.scripted import Call, Say

IMAGE = "https://example.com/cat.png"
PICTURE = {"type": "input_image", "image_url": IMAGE, "detail": "low"}
PARTS = [{"type": "input_text", "text": "A cat?"}, PICTURE]
REASONING = {"type": "reasoning", "id": "rs_vendors", "summary": [], "encrypted_content": "gAAA"}
TWICE = {"type": "message", "id": "msg_mine", "role": "user", "content": "Twice."}


@pytest.fixture(scope="module")
def url(vendor: Vendor, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(configuration(vendor, tmp_path_factory.mktemp("server"))) as served:
        yield served


def got(url: str, path: str, **query: Any) -> httpx2.Response:
    headers = {"authorization": "Bearer acme"}
    return httpx2.get(f"{url}/v1/{path}", params=query, headers=headers)


def texts(items: Any) -> list[str]:
    return [part.text for item in items for part in getattr(item, "content", None) or ()]


def made(url: str, vendor: Vendor, given: list[Any]) -> str:
    """The id of a response to these items."""
    vendor.play(Say("Yes."))
    return client(url).responses.create(model="assistant", input=given).id


@pytest.mark.parametrize("order", ["asc", "desc", None])
@pytest.mark.parametrize("limit", [1, 2, 7, 8, 100, None])
def test_the_pages_of_what_was_given_have_each_item_once(
    url: str, vendor: Vendor, limit: int | None, order: str | None
) -> None:
    """The newest first, unless the client asks otherwise."""
    words = [f"item {n}" for n in range(25 if limit is None else 7)]
    name = made(url, vendor, [{"role": "user", "content": word} for word in words])
    asked = {"limit": limit, "order": order}
    query: Any = {key: value for key, value in asked.items() if value is not None}
    listed = client(url).responses.input_items.list(name, **query)
    assert len(listed.data) == min(limit or 20, len(words))
    items = list(listed)
    assert texts(items) == (words if order == "asc" else words[::-1])
    assert len({item.id for item in items}) == len(words)
    page = got(url, f"responses/{name}/input_items", **query).json()
    assert (page["first_id"], page["last_id"]) == (page["data"][0]["id"], page["data"][-1]["id"])
    assert page["has_more"] is (len(page["data"]) < len(words))


def test_every_item_has_the_shape_of_the_api(url: str, vendor: Vendor) -> None:
    """Though a request may leave out types, ids and parts, and may send an item twice."""
    given: list[Any] = [
        {"role": "developer", "content": "Be short."},
        TWICE,
        TWICE,
        {"role": "assistant", "content": "Well."},
        REASONING,
        {"type": "function_call", "call_id": "c1", "name": "locate", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "Rome"},
        {"role": "user", "content": PARTS},
    ]
    name = made(url, vendor, given)
    page = got(url, f"responses/{name}/input_items", order="asc").json()
    ResponseItemList.model_validate(page)
    for item in page["data"]:
        TypeAdapter(ResponseItem).validate_python(item)
    kinds = [item["id"].partition("_")[0] for item in page["data"]]
    assert kinds == ["msg", "msg", "msg", "msg", "rs", "fc", "fco", "msg"]


def test_what_is_large_or_secret_is_listed_for_who_includes_it(url: str, vendor: Vendor) -> None:
    name = made(url, vendor, [REASONING, {"role": "user", "content": PARTS}])
    path = f"responses/{name}/input_items"
    plain = got(url, path).text
    assert IMAGE not in plain
    assert "gAAA" not in plain
    one = got(url, path, include="reasoning.encrypted_content").text
    assert IMAGE not in one
    assert "gAAA" in one
    both: Any = ["message.input_image.image_url", "reasoning.encrypted_content"]
    picture, reasoning = client(url).responses.input_items.list(name, include=both).data
    assert picture.content[1].image_url == IMAGE  # type: ignore[union-attr,index]
    assert reasoning.encrypted_content == "gAAA"  # type: ignore[union-attr]


def test_what_was_listed_can_be_sent_again(url: str, vendor: Vendor) -> None:
    """Whole, or named by its id: the vendor sees what it saw the first time, and no id of ours."""
    given: list[Any] = [{"role": "user", "content": PARTS}]
    name = made(url, vendor, given)
    whole = got(url, f"responses/{name}/input_items", include="message.input_image.image_url")
    items = whole.json()["data"]
    references = [{"type": "item_reference", "id": item["id"]} for item in items]
    before = len(vendor.requests) - 1
    for again in (items, references):
        made(url, vendor, again)
    first, *others = [each.body["messages"] for each in vendor.requests[before:]]
    assert others == [first, first]


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("limit", [1, 2, 3, 4, 20])
def test_a_conversation_lists_the_items_of_its_responses(
    url: str, vendor: Vendor, limit: int, order: Any
) -> None:
    """With the ids that the responses have shown; those of other conversations are not there."""
    asked = client(url)
    name, other = (asked.conversations.create().id for _ in range(2))
    shown = []
    for n in range(4):
        vendor.play(Say(f"answer {n}"), Say("elsewhere"))
        given: list[Any] = [{"role": "user", "content": f"{n}{letter}"} for letter in "ab"[: n % 3]]
        given += [{"role": "user", "content": f"question {n}"}]
        response = asked.responses.create(model="assistant", input=given, conversation=name)
        asked.responses.create(model="assistant", input="Else?", conversation=other)
        shown += [item.id for item in asked.responses.input_items.list(response.id, order="asc")]
        shown += [item.id or "" for item in response.output]
    listed = asked.conversations.items.list(name, limit=limit, order=order)
    assert len(listed.data) == min(limit, len(shown))
    assert [item.id for item in listed] == (shown if order == "asc" else shown[::-1])
    page = got(url, f"conversations/{name}/items", limit=limit, order=order).json()
    ConversationItemList.model_validate(page)


def test_a_call_for_the_client_is_an_item_of_the_conversation(url: str, vendor: Vendor) -> None:
    vendor.play(Call(("locate", {})), Say("Rome."))
    asked = client(url)
    name = asked.conversations.create().id
    options: Any = {"model": "assistant", "tools": [LOCATE], "conversation": name}
    [call] = asked.responses.create(input="Where?", **options).output
    assert call.type == "function_call"
    result: Any = {"type": "function_call_output", "call_id": call.call_id, "output": "Rome"}
    asked.responses.create(input=[result], **options)
    listed = [*asked.conversations.items.list(name, limit=1, order="asc")]
    kinds = [item.type for item in listed]
    assert kinds == ["message", "function_call", "function_call_output", "message"]


def test_an_empty_conversation_has_an_empty_list(url: str) -> None:
    name = client(url).conversations.create().id
    page = got(url, f"conversations/{name}/items").json()
    assert page == {
        "object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("query", "param", "status"),
    [
        ({"limit": "0"}, "limit", 400),
        ({"limit": "101"}, "limit", 400),
        ({"limit": "-1"}, "limit", 400),
        ({"limit": "\u0661"}, "limit", 400),
        ({"limit": ""}, "limit", 400),
        ({"limit": "9" * 5_000}, "limit", 400),
        ({"order": "up"}, "order", 400),
        ({"include": "everything"}, "include", 400),
        ({"after": "msg_of_nobody"}, "after", 404),
        ({"after": "msg_0123456789abcdef01234567_0"}, "after", 404),
        ({"after": "\0"}, "after", 404),
    ],
)
@pytest.mark.parametrize("kind", ["responses", "conversations"])
def test_a_wrong_query_is_told_what_is_wrong(
    url: str, vendor: Vendor, kind: str, query: dict[str, str], param: str, status: int
) -> None:
    path = f"responses/{made(url, vendor, [TWICE])}/input_items"
    if kind == "conversations":
        path = f"conversations/{client(url).conversations.create().id}/items"
    answer = got(url, path, **query)
    assert (answer.status_code, answer.json()["error"]["param"]) == (status, param)


def test_a_page_begins_behind_an_item_of_its_own_list(url: str, vendor: Vendor) -> None:
    """One of another conversation or another account is not found."""
    asked = client(url)
    vendor.play(Say("one"), Say("two"))
    first, second = (asked.conversations.create().id for _ in range(2))
    for name in (first, second):
        asked.responses.create(model="assistant", input="?", conversation=name)
    elsewhere = asked.conversations.items.list(second).data[0].id or ""
    with pytest.raises(openai.NotFoundError, match=elsewhere):
        asked.conversations.items.list(first, after=elsewhere)
    with pytest.raises(openai.NotFoundError, match=first):
        client(url, "bolt").conversations.items.list(first)


def test_an_item_of_a_deleted_response_is_not_listed(url: str, vendor: Vendor) -> None:
    asked = client(url)
    vendor.play(Say("one"), Say("two"))
    name = asked.conversations.create().id
    first, _ = (
        asked.responses.create(model="assistant", input=text, conversation=name) for text in "12"
    )
    asked.responses.delete(first.id)
    assert texts(asked.conversations.items.list(name)) == ["two", "2"]
