from .gateway import (
    ahandler as ahandler,
    handler as handler,
)
from .telemetry.opentelemetry import (
    OpenTelemetry as OpenTelemetry,
)

__all__ = [
    "OpenTelemetry",
    "ahandler",
    "handler",
]
