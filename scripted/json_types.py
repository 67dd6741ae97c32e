"""Names for JSON values, so that signatures say what they mean."""

from typing import Any, TypeAlias

__all__ = ["JsonObject"]

JsonObject: TypeAlias = dict[str, Any]
"""A parsed JSON object. Its members are open: requests are checked member by member."""
