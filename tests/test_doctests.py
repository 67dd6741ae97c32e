"""Every example in a docstring runs, and says what it says."""

import doctest
import importlib

import pytest

from tests.paths import ROOMS, ROOT
from tests.vendor_table import vendors_forgotten


def _modules() -> list[str]:
    files = (
        file for room in ROOMS for file in (ROOT / room).rglob("*.py") if file.name != "__main__.py"
    )
    parts = (file.relative_to(ROOT).with_suffix("").parts for file in files)
    return sorted(
        ".".join(("turngraph", *(part for part in each if part != "__init__"))) for each in parts
    )


@pytest.mark.parametrize("module", _modules())
def test_the_examples_of_a_module_run(module: str) -> None:
    """An example that does not run is worse than none."""
    with vendors_forgotten():
        failed, _ = doctest.testmod(
            importlib.import_module(module), optionflags=doctest.ELLIPSIS, raise_on_error=False
        )
    assert failed == 0
