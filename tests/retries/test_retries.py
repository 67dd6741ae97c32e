"""Killed workers and clients that ask again, in a small run; `make retries` plays a long one."""

import secrets
from pathlib import Path

import pytest

from tests.retries.scene import run


@pytest.mark.long
def test_a_killed_worker_loses_and_doubles_no_answer(tmp_path: Path) -> None:
    """Over both APIs, whole, streamed and in the background, with follow-ups: each client has one
    answer, which is charged once, and nothing is left running.
    """
    report = run(tmp_path, turns=14, kills=1, at_once=7, seed=secrets.randbelow(10**6))
    print(report)
    assert report.wrong == report.missing == report.double == report.running == []
