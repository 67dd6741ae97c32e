"""Tenants on one database, in a small run; `make tenants` plays a long one."""

from pathlib import Path

import pytest

from tests.tenants.scene import run


@pytest.mark.long
def test_tenants_do_not_meet_and_a_killed_process_loses_nothing(tmp_path: Path) -> None:
    """Two processes, one of them killed under load: every client has its one answer, charged once,
    and nothing of a tenant or of a key stands where it must not.
    """
    report = run(tmp_path, turns=5, kills=1, at_once=4)
    assert report.missing == report.double == []
    assert report.crossed == []
    assert report.leaked == []
