"""Conversations and money are no business of the machine's other users."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from turngraph.billing import Ledger
from turngraph.graphs import chat_turn
from turngraph.providers import ProviderConfig
from turngraph.scripted import ScriptedModel
from turngraph.state.private_files import create_private_file, create_private_folder
from turngraph.state.result import Charge


@pytest.fixture(autouse=True)
def usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def modes(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): oct(stat.S_IMODE(path.stat().st_mode))
        for path in sorted(folder.rglob("*"))
    }


def test_every_folder_that_is_made_is_private(tmp_path: Path) -> None:
    """Also the ones above the one that was asked for."""
    create_private_file(tmp_path / "data/turngraph/threads.sqlite")
    assert modes(tmp_path) == {
        "data": "0o700",
        "data/turngraph": "0o700",
        "data/turngraph/threads.sqlite": "0o600",
    }


@pytest.mark.parametrize("umask", [0o000, 0o077, 0o277, 0o777])
def test_the_owner_can_use_what_is_made_under_any_umask(tmp_path: Path, umask: int) -> None:
    """Some take rights from the owner too: the next start could not open its own ledger."""
    os.umask(umask)
    with Ledger(f"sqlite:///{tmp_path}/books/turns.db") as ledger:
        assert ledger.total().attempts == 0
        seen = modes(tmp_path)
    assert seen.pop("books") == "0o700"
    assert set(seen.values()) == {"0o600"}


@pytest.mark.parametrize(
    "name", ["file:{}/turns.db?uri=true", "file:{}/turns.db?mode=rwc&uri=true"]
)
def test_a_ledger_by_a_file_uri_is_private(tmp_path: Path, name: str) -> None:
    """SQLite's own addresses name a file as well."""
    with Ledger(f"sqlite:///{name.format(tmp_path)}") as ledger:
        assert ledger.total().attempts == 0
        assert set(modes(tmp_path).values()) == {"0o600"}


def test_what_exists_keeps_its_permissions_and_content(tmp_path: Path) -> None:
    """Somebody may have shared it with a group on purpose."""
    folder, file = tmp_path / "shared", tmp_path / "shared/file"
    folder.mkdir(mode=0o750)
    file.write_text("kept")
    file.chmod(0o640)
    create_private_folder(folder)
    create_private_file(file)
    assert modes(tmp_path) == {"shared": "0o750", "shared/file": "0o640"}
    assert file.read_text() == "kept"


def test_a_ledger_is_private_with_all_its_files(tmp_path: Path) -> None:
    """SQLite's log beside the database holds the same rows."""
    with (
        ScriptedModel() as model,
        Ledger(f"sqlite:///{tmp_path}/turns.db") as ledger,
    ):
        config = ProviderConfig(base_url=model.base_url, model="scripted")
        chat_turn(config, ledger=ledger).run("A secret.")
        seen = modes(tmp_path)
    assert {"turns.db", "turns.db-wal"} <= seen.keys()
    assert set(seen.values()) == {"0o600"}


def test_a_ledger_makes_the_folder_that_it_lacks(tmp_path: Path) -> None:
    """For its owner alone; SQLite would only say that it is unable to open the file."""
    with Ledger(f"sqlite:///{tmp_path}/books/turns.db") as ledger:
        assert ledger.total().attempts == 0
    assert modes(tmp_path)["books"] == "0o700"


def test_a_spool_is_private(tmp_path: Path) -> None:
    """It holds what could not be written to the ledger, answers too."""
    with Ledger(f"sqlite:///{tmp_path}/turns.db", spool=tmp_path / "spool") as ledger:
        charge = Charge(id="c.1", kind="completion", attempt_id="c.1", vendor="v", model="m")
        ledger.store.spool.add("settle", charge)
        seen = modes(tmp_path / "spool")
    assert set(seen.values()) == {"0o600"}
    assert stat.S_IMODE((tmp_path / "spool").stat().st_mode) == 0o700
