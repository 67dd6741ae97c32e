"""The name of a JSON object in type hints."""

from typing import Any, TypeAlias

__all__ = ["JsonObject"]

JsonObject: TypeAlias = dict[str, Any]
"""A JSON object of a vendor's API. Its members stay open: vendors add some every month."""
