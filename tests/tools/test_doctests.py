"""The examples in the docstrings of this room run."""

import doctest
from importlib import import_module
from pathlib import Path

import pytest

ROOM = Path(__file__).parents[2] / "tools"
FILES = sorted(str(file.relative_to(ROOM.parent)) for file in ROOM.rglob("*.py"))


@pytest.mark.parametrize("file", FILES)
def test_the_examples_run(file: str) -> None:
    """An example that lies is worse than none."""
    name = "turngraph." + file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    assert doctest.testmod(import_module(name)).failed == 0
