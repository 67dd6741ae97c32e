"""Names for JSON whose shape a vendor decides, and turngraph does not."""

from collections.abc import Mapping
from typing import Any, TypeAlias

__all__ = ["JsonMapping", "JsonObject"]

JsonObject: TypeAlias = dict[str, Any]
"""A JSON object that is being built or changed. Vendors add members as they please, so the values
stay open.
"""

JsonMapping: TypeAlias = Mapping[str, Any]
"""A JSON object that is only read."""
