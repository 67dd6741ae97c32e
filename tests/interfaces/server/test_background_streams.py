"""Background responses as streams: clients leave, come back to any process, and cancel."""

import time
from collections.abc import Iterator
from typing import Any

import httpx2
import openai
import pytest

from tests.interfaces.server.serving import Vendor, client, config_of, model_config
from turngraph.interfaces.server.config import ServerConfig, StoreSettings
from turngraph.scripted import Hang, Say

BODY: Any = {"model": "assistant", "input": "?", "background": True}


@pytest.fixture(scope="module")
def vendor() -> Iterator[Vendor]:
    with Vendor(delay_s=0.05) as model:
        yield model


@pytest.fixture(scope="module")
def config(vendor: Vendor, tmp_path_factory: pytest.TempPathFactory) -> ServerConfig:
    models = {"assistant": model_config(vendor)}
    folder = tmp_path_factory.mktemp("server")
    store = StoreSettings(database=f"sqlite:///{folder}/turns.db", lease_seconds=2.0)
    server = config_of(models, sweep_seconds=0.3).server
    return ServerConfig(server=server, store=store, models=models)


def numbers(events: list[Any]) -> list[int]:
    return [each.sequence_number for each in events]


def test_a_client_comes_back_to_a_stream_in_any_process(
    url: str, other_url: str, vendor: Vendor
) -> None:
    """It gets what comes after the last event that it has seen, while the response runs and later,
    and no event is missing or twice.
    """
    vendor.play(Say("one two three four five six seven eight nine ten"))
    stream: Any = client(url).responses.create(**BODY, stream=True)
    seen: list[Any] = []
    for event in stream:
        seen.append(event)
        if event.type == "response.output_text.delta":
            break
    stream.close()
    name = seen[0].response.id
    after = seen[-1].sequence_number
    rest = list(client(other_url).responses.retrieve(name, stream=True, starting_after=after))
    assert numbers([*seen, *rest]) == list(range(len(seen) + len(rest)))
    assert rest[-1].type == "response.completed"
    deltas = [each.delta for each in [*seen, *rest] if each.type == "response.output_text.delta"]
    assert "".join(deltas) == "one two three four five six seven eight nine ten"
    for each in (url, other_url):
        whole = list(client(each).responses.retrieve(name, stream=True))
        assert [e.model_dump() for e in whole] == [e.model_dump() for e in [*seen, *rest]]
        assert client(each).responses.retrieve(name).output_text == "".join(deltas)
    assert (
        list(client(url).responses.retrieve(name, stream=True, starting_after=after + 1))
        == (rest[1:])
    )


def test_a_retried_stream_in_the_background_is_followed(
    url: str, other_url: str, vendor: Vendor
) -> None:
    """By its key, while it runs, from its first event."""
    before = vendor.play(Say("one two three four five"))
    headers = {"Idempotency-Key": "followed"}
    stream: Any = client(url).responses.create(**BODY, stream=True, extra_headers=headers)
    first = next(iter(stream))
    stream.close()
    again: list[Any] = list(
        client(other_url).responses.create(**BODY, stream=True, extra_headers=headers)
    )
    assert again[0].response.id == first.response.id
    assert numbers(again) == list(range(len(again)))
    assert again[-1].type == "response.completed"
    assert len(vendor.requests) == before + 1


def test_a_background_stream_is_cancelled_from_any_process(
    url: str, other_url: str, vendor: Vendor
) -> None:
    """Its stream ends, and so does what follows it."""
    vendor.play(Hang(60))
    vendor.held = True
    try:
        made = client(url).responses.create(**BODY)
        name = made.id
        assert client(other_url).responses.cancel(name).status == "cancelled"
    finally:
        vendor.held = False
    vendor.play(Say("word " * 2_000))
    stream: Any = client(url).responses.create(**BODY, stream=True)
    events = iter(stream)
    name = next(events).response.id
    while next(events).type != "response.output_text.delta":
        pass
    assert client(other_url).responses.cancel(name).status == "cancelled"
    assert [*events][-1].type == "response.cancelled"
    follow: list[Any] = list(
        client(other_url).responses.retrieve(name, stream=True, starting_after=0)
    )
    assert follow[-1].type == "response.cancelled"


def test_a_response_without_a_stream_is_followed_to_its_end(url: str, vendor: Vendor) -> None:
    """Its last event has all of it."""
    vendor.play(Hang(0.5, Say("late")))
    made = client(url).responses.create(**BODY)
    events: list[Any] = list(client(url).responses.retrieve(made.id, stream=True))
    assert [each.type for each in events] == ["response.created", "response.completed"]
    assert events[-1].response.output_text == "late"
    for number in ("x", "-2", "1e3", "٣", str(2**63)):
        with pytest.raises(openai.BadRequestError, match="starting_after"):
            client(url).get(
                f"/responses/{made.id}?stream=true&starting_after={number}", cast_to=httpx2.Response
            )
    with pytest.raises(openai.NotFoundError):
        list(client(url, "bolt").responses.retrieve(made.id, stream=True))


def test_a_stream_of_a_deleted_response_ends(url: str, other_url: str, vendor: Vendor) -> None:
    """In every process, at once; nobody is left waiting."""
    vendor.play(Say("word " * 2_000))
    stream: Any = iter(client(url).responses.create(**BODY, stream=True))
    name = next(stream).response.id
    time.sleep(0.5)
    following = iter(client(other_url).responses.retrieve(name, stream=True))
    assert next(following).sequence_number == 0
    client(other_url).responses.delete(name)
    assert [*stream][-1].type == "response.cancelled"
    with pytest.raises(openai.APIError, match="Another request deleted"):
        list(following)
    with pytest.raises(openai.NotFoundError):
        client(url).responses.retrieve(name)
