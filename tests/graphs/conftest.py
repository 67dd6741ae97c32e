"""What tests of whole turns that are paid for share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from turngraph.billing import Ledger


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """A ledger in a file, closed afterwards, whose books must balance."""
    with Ledger(f"sqlite:///{tmp_path}/ledger.db") as kept:
        yield kept
        assert kept.verify() == [], "the books do not balance"
