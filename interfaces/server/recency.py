"""How long a process relies on what it has read from the database."""

__all__ = ["is_recent"]


def is_recent(then: float, now: float, seconds: float) -> bool:
    """Whether `then` is less than `seconds` ago.

    A time that is still to come is not recent: the clock was set back, and nobody knows how long
    ago it was.

    >>> is_recent(100.0, 104.0, 5.0), is_recent(100.0, 105.0, 5.0), is_recent(100.0, 40.0, 5.0)
    (True, False, False)
    """
    return 0 <= now - then < seconds
