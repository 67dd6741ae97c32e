"""A planted key is nowhere: not in state, checkpoint bytes, events, logs, exceptions, results or
`repr`.
"""

import contextlib
import logging
import pickle
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.sqlite import SqliteSaver

from tests.turns import KEY, ask, both_apis, config, invoke, streamed_or_not
from turngraph.graphs import chat_turn
from turngraph.scripted import Fail, ScriptedModel

ECHO = {
    "error": {
        "message": f"Incorrect API key provided: {KEY}.",
        "type": "invalid_request_error",
        "code": "bad",
    }
}


@both_apis
@streamed_or_not
def test_the_key_is_nowhere_after_good_and_bad_turns(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, api: str, stream: bool
) -> None:
    """Vendors echo keys in their errors; clients put them into reprs; checkpoints keep what they
    are given.
    """
    caplog.set_level(logging.DEBUG)
    seen: list[Any] = []
    database = tmp_path / "t.db"
    with (
        ScriptedModel([Fail(401, body=ECHO)]) as model,
        SqliteSaver.from_conn_string(str(database)) as saver,
    ):
        given = config(model, api=api, headers={"X-Gateway-Token": KEY})
        turn = chat_turn(
            given, functions=["calculator"], stream=stream, checkpointer=saver, on_event=seen.append
        )
        thread: Any = {"configurable": {"thread_id": "t"}}
        bad = invoke(turn, ask("What is 2 * 3?"), thread)
        good = invoke(turn, ask("What is 2 * 3?"), thread)
        assert any(KEY in str(request.headers) for request in model.requests), (
            "the key was really used"
        )
        state = turn.get_state(thread)
    assert bad["result"].error.status == 401
    assert good["result"].ok
    texts = {
        "results": repr(bad)
        + repr(good)
        + bad["result"].model_dump_json()
        + str(good["result"].to_http()),
        "state": repr(state),
        "events": repr(seen) + "".join(event.model_dump_json() for event in seen),
        "log": caplog.text,
        "config": repr(given) + str(given) + repr(turn) + str(turn.get_graph()),
        "mermaid": turn.get_graph().draw_mermaid(),
    }
    assert [place for place, text in texts.items() if KEY in text] == []
    assert KEY.encode() not in pickle.dumps([event.model_dump() for event in seen])
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert stored
    assert KEY.encode() not in stored
    with contextlib.closing(sqlite3.connect(database)) as connection:
        rows = connection.execute("select count(*) from checkpoints").fetchone()
    assert rows[0] > 5


def test_an_exception_does_not_hold_the_key() -> None:
    """Tracebacks end in logs and issue trackers."""
    with ScriptedModel([Fail(401, body=ECHO)]) as model:
        turn = chat_turn(config(model))
        message = invoke(turn, ask("Q"))["result"].error.message
    assert "401" in message
    assert KEY not in message
