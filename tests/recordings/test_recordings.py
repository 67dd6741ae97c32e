"""Our own recordings are what the scripted model says today, and can be played."""

import http.client
import json
from pathlib import Path

import pytest

from tests.recordings.make import APIS, TAPES, lines
from turngraph.scripted import Cassette

HERE = Path(__file__).parent


@pytest.mark.parametrize("api", APIS)
def test_recording_again_gives_the_same_file(api: str) -> None:
    """If the wire changes, run `python -m tests.recordings.make` and look at the difference."""
    assert (HERE / f"{api}.jsonl").read_text(encoding="utf-8").splitlines() == list(lines(api))


@pytest.mark.parametrize("api", APIS)
def test_every_exchange_plays(api: str) -> None:
    """In order, with the status and the bytes that were recorded."""
    with Cassette.load(HERE / f"{api}.jsonl") as cassette:
        assert {exchange.cassette for exchange in cassette.exchanges} == {
            f"{api}_{tape.name}_{form}" for tape in TAPES for form in ("json", "sse")
        }
        for exchange in cassette.exchanges:
            connection = http.client.HTTPConnection("127.0.0.1", cassette.port)
            connection.request(
                "POST", exchange.path, json.dumps(exchange.record["request"]["body"])
            )
            reply = connection.getresponse()
            assert (reply.status, reply.read()) == (exchange.status, exchange.content)
            connection.close()
        assert cassette.left == 0
