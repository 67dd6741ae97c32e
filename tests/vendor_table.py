"""The table of vendors, for tests that add to it."""

from collections.abc import Iterator
from contextlib import contextmanager

from turngraph.providers.vendors import profiles

__all__ = ["vendors_forgotten"]


@contextmanager
def vendors_forgotten() -> Iterator[None]:
    """Forgets the vendors that are registered within the block."""
    before = set(profiles.VENDORS)
    try:
        yield
    finally:
        for name in set(profiles.VENDORS) - before:
            del profiles._TABLE[name], profiles._ROWS[name]
        profiles._by_alias.cache_clear()
