"""Recorded conversations of other clients, read and written again: every payload fits the schemas
that the vendors publish.

The conversations are those of `../shared/recorded` that were answered. Each is written for its own
vendor and for another one. Exceptions and their reasons are in `schema_amendments.yaml`.
"""

import gzip
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from tests.paths import SHARED
from turngraph.providers.vendors.profiles import VENDORS, VendorProfile, find_vendor
from turngraph.providers.writing.from_chat import from_chat
from turngraph.providers.writing.from_responses import from_responses
from turngraph.providers.writing.payload import build_payload
from turngraph.state.errors import TurnConfigurationError, TurnValueError
from turngraph.state.request import Api, ChatRequest, ToolSpec

SCHEMAS: Final = SHARED / "openapi" / "chat-responses.schemas.json"
RECORDED: Final = SHARED / "recorded"
BODIES: Final[dict[Api, str]] = {
    "chat": "CreateChatCompletionRequest",
    "responses": "CreateResponse",
}
TOOL: Final = ToolSpec(
    name="look", description="Looks.", parameters={"type": "object", "properties": {}}, strict=True
)

pytestmark = pytest.mark.skipif(
    not SCHEMAS.exists(), reason="needs the recorded traffic in ../shared, which is not here"
)


def recorded() -> Iterator[dict[str, Any]]:
    """Each request that was answered, those with the same conversation once."""
    seen: set[str] = set()
    for file in sorted(RECORDED.glob("*.jsonl.gz")):
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            for exchange in map(json.loads, lines):
                body = (exchange["request"] or {}).get("body")
                conversation = (
                    body.get("messages", body.get("input")) if isinstance(body, dict) else None
                )
                key = json.dumps([exchange["vendor"], conversation], sort_keys=True)
                if (
                    conversation is not None
                    and key not in seen
                    and exchange["response"]["status"] == 200
                ):
                    seen.add(key)
                    yield exchange


@cache
def exchanges() -> list[dict[str, Any]]:
    return list(recorded())


@cache
def validator(api: Api, vendor: str) -> Draft202012Validator:
    """The schema of `api`'s request body, amended for `vendor`."""
    document = json.loads(SCHEMAS.read_text("utf-8"))
    amendments = yaml.safe_load(
        Path(__file__).with_name("schema_amendments.yaml").read_text("utf-8")
    )
    unlimited = VENDORS[vendor].quirks.part_types is None
    for amendment in amendments["everywhere"] + amendments.get(
        vendor, amendments["unlimited"] if unlimited else []
    ):
        amend(document["components"]["schemas"][amendment["at"]], **amendment["change"])
    return Draft202012Validator({"$ref": f"#/components/schemas/{BODIES[api]}", **document})


def amend(
    schema: dict[str, Any], rename: Any = None, append: Any = None, remove: Any = None
) -> None:
    for old, new in (rename or {}).items():
        schema[new] = schema.pop(old)
    for name, member in (append or {}).items():
        schema[name].append(member)
    for name, member in (remove or {}).items():
        schema[name].remove(member)


def messages_of(exchange: dict[str, Any]) -> list[Any]:
    body = exchange["request"]["body"]
    return (
        from_chat(body["messages"]) if exchange["api"] == "chat" else from_responses(body["input"])
    )


def request_for(profile: VendorProfile, api: Api, exchange: dict[str, Any]) -> ChatRequest:
    """A request with a tool, where the vendor has tools, over the recorded conversation."""
    body = exchange["request"]["body"]
    tools = () if profile.quirks.tool_types == frozenset() else (TOOL,)
    previous = body.get("previous_response_id") if api == "responses" else None
    return ChatRequest(
        vendor=profile.name,
        api=api,
        model=body.get("model") or "some-model",
        tools=tools,
        max_tokens=100,
        stream=True,
        previous_response_id=previous,
    )


def profile_of(vendor: str) -> VendorProfile:
    try:
        return find_vendor(vendor)
    except TurnConfigurationError:  # a gateway of somebody's own
        return VENDORS["custom"]


def complaint(profile: VendorProfile, api: Api, exchange: dict[str, Any]) -> str | None:
    """What the schema has against the payload; `None` where nothing."""
    body = build_payload(request_for(profile, api, exchange), messages_of(exchange), profile).body
    error = best_match(
        validator(api, profile.name).iter_errors(
            {k: v for k, v in body.items() if k not in profile.quirks.body}
        )
    )
    return (
        None
        if error is None
        else f"{profile.name}, {api}, {exchange['id']}: {error.json_path}: {error.message[-200:]}"
    )


def test_every_conversation_a_vendor_accepted_can_be_sent() -> None:
    """Its vendor answered 200, so no row of the vendors' table may prevent it."""
    refused = []
    for exchange in exchanges():
        profile = profile_of(exchange["vendor"])
        try:
            build_payload(
                request_for(profile, exchange["api"], exchange), messages_of(exchange), profile
            )
        except TurnValueError as error:
            refused.append(f"{exchange['id']}: {error}")
    # A message that says nothing at all is refused on purpose, though OpenAI once answered one.
    assert [line for line in refused if "is empty" not in line] == []
    assert len(refused) <= 5


def test_every_payload_for_its_own_vendor_fits_the_schema() -> None:
    """The conversation is sent through the API it was recorded from."""
    complaints = []
    for exchange in exchanges():
        try:
            complaints.append(complaint(profile_of(exchange["vendor"]), exchange["api"], exchange))
        except TurnValueError:
            continue  # the empty one above
    assert len(complaints) > 1500
    assert [line for line in complaints if line is not None] == []


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_every_payload_for_other_vendors_fits_the_schema(api: Api) -> None:
    """A thread may be continued with any vendor."""
    able = [p for p in VENDORS.values() if api == "chat" or p.responses != "none"]
    complaints, refused = [], []
    for n, exchange in enumerate(exchanges()):
        if api == "responses" and exchange["request"]["body"].get("previous_response_id"):
            continue
        try:
            complaints.append(complaint(able[n % len(able)], api, exchange))
        except TurnValueError as error:
            refused.append(str(error))
    allowed = re.compile("not take|base64|is empty|did not make|file id")
    assert [line for line in refused if not allowed.search(line)] == [], (
        "only what that vendor cannot read"
    )
    assert len(complaints) > 1500
    assert [line for line in complaints if line is not None] == []


def test_every_amendment_is_still_needed() -> None:
    """An exception without a reason would hide the next mistake."""
    amendments = yaml.safe_load(
        Path(__file__).with_name("schema_amendments.yaml").read_text("utf-8")
    )
    schemas = json.loads(SCHEMAS.read_text("utf-8"))["components"]["schemas"]
    for amendment in (one for several in amendments.values() for one in several):
        assert amendment["reason"]
        before = json.dumps(schemas[amendment["at"]])
        amend(schemas[amendment["at"]], **amendment["change"])
        assert json.dumps(schemas[amendment["at"]]) != before
