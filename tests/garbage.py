"""What is left for Python's garbage collector."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["uncollected"]


@contextmanager
def uncollected() -> Iterator[set[str]]:
    """Yields the names of turngraph's classes, the scripted model's aside, of which the block left
    objects that only the garbage collector can free. They are there when the block has ended.
    """
    names: set[str] = set()
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        yield names
        gc.collect()
        left = {f"{type(one).__module__}.{type(one).__qualname__}" for one in gc.garbage}
        names |= {n for n in left if n.startswith("turngraph.") and ".scripted." not in n}
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
