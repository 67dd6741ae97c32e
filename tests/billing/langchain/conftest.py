"""A scripted model, and a ledger with a budget of one dollar."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.billing.langchain.metered import HARD, Open
from turngraph.scripted import ScriptedModel


@pytest.fixture
def server() -> Iterator[ScriptedModel]:
    with ScriptedModel() as model:
        yield model


@pytest.fixture
def book(open_book: Open) -> Any:
    return open_book(HARD)
