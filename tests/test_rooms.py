"""Data flows one way: a room imports from lower floors only, and everything importable ships in the
wheel.
"""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.paths import ROOT

FLOORS = [
    {"state"},
    {"providers", "scripted", "drawing", "tools", "billing"},
    {"nodes"},
    {"graphs"},
    {"interfaces"},
]
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
SEEN = re.compile(r"^\s*(?:from|import) turngraph(?:\.| import )(\w+)", re.MULTILINE)


@pytest.mark.parametrize("room", sorted(FLOOR))
def test_a_room_only_looks_down(room: str) -> None:
    """Data flows one way, so an import that climbs or crosses a floor is a mistake."""
    files = list((ROOT / room).rglob("*.py"))
    for file in files:
        for seen in SEEN.findall(file.read_text()):
            assert seen == room or FLOOR[seen] < FLOOR[room], (
                f"{file.relative_to(ROOT)} may not import {seen}"
            )


@pytest.mark.parametrize("room", sorted(FLOOR))
def test_a_room_is_imported_by_its_full_name(room: str) -> None:
    """`import tools` from the repository root would load a module twice, under two names."""
    bare = re.compile(rf"^\s*(?:from|import) (?:{'|'.join(FLOOR)})\b", re.MULTILINE)
    for file in (ROOT / room).rglob("*.py"):
        assert not bare.search(file.read_text()), (
            f"{file.relative_to(ROOT)} imports a room without `turngraph.`"
        )


def test_no_module_is_loaded_under_two_names() -> None:
    """The suite runs in the repository root, where `tools` and `turngraph.tools` would both be
    importable.
    """
    files: dict[str, str] = {}
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if (
            file
            and Path(file).resolve().is_relative_to(ROOT)
            and "/tests/" not in file
            and "/.venv/" not in file
        ):
            assert files.setdefault(file, name) == name, (
                f"{file} is loaded as {files[file]} and as {name}"
            )


def test_every_folder_with_code_is_in_the_wheel() -> None:
    """Setuptools is told each folder by name; a forgotten one would be missing from the wheel
    without a word.
    """
    listed = set(
        tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    )
    folders = {
        file.parent.relative_to(ROOT) for room in FLOOR for file in (ROOT / room).rglob("*.py")
    }
    present = {".".join(("turngraph", *folder.parts)) for folder in folders}
    assert present <= listed, f"add to [tool.setuptools] packages: {sorted(present - listed)}"


def test_a_turn_is_imported_without_what_it_may_not_need() -> None:
    """Databases, HTTP clients and price lists take a second or two each; they are imported where
    they are used.
    """
    heavy = (
        "sqlalchemy",
        "openai",
        "aiohttp",
        "genai_prices",
        "langchain_openai",
        "sqlglot",
        "rapidfuzz",
    )
    code = f"import sys, turngraph.graphs.chat; print([name for name in {heavy} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
