from .gateway import (
    ahandler as ahandler,
)
from .gateway import (
    handler as handler,
)

__all__ = [
    "ahandler",
    "handler",
]
