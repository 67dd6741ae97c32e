from .app import (
    studio_app as studio_app,
)

__all__ = [
    "studio_app",
]
