"""When a secret expires, from the `expiration_date` of its manifest."""

from datetime import UTC, datetime, time, timedelta

__all__ = ["expires_at"]


def expires_at(text: str) -> datetime:
    """Returns the moment from which a secret with this `expiration_date` is refused.

    A date alone lasts until the end of its day; a time without an offset is UTC.

    >>> expires_at("2026-12-31").isoformat(), expires_at("2026-12-31T12:00:00+02:00").isoformat()
    ('2027-01-01T00:00:00+00:00', '2026-12-31T12:00:00+02:00')

    Raises ValueError for text that is not an ISO 8601 date.
    """
    moment = datetime.fromisoformat(text.strip())
    if len(text.strip()) == len("2026-12-31"):
        moment = datetime.combine(moment.date(), time()) + timedelta(days=1)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
