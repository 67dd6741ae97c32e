from .gateway import (
    ahandler as ahandler,
    handler as handler,
)

__all__ = [
    "ahandler",
    "handler",
]
