"""What the ledger keeps as JSON in a column of texts. Pydantic refuses what is none of it."""

from typing import Final

from pydantic import TypeAdapter

__all__ = ["SHARES", "TEXTS"]

TEXTS: Final = TypeAdapter(list[str])
SHARES: Final = TypeAdapter(list[float])
