"""An HTTP error of a vendor, before it is read."""

from collections.abc import Mapping

__all__ = ["HttpStatusError"]


class HttpStatusError(Exception):
    """A vendor answered with status 300 or higher.

    Attributes: `status`, `headers`, and `body`, which may be cut at the limit it was read to.
    """

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body
        super().__init__(f"status {status}")
