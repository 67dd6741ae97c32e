"""A span that has begun, with the attributes that its metrics need again."""

import time
from typing import TYPE_CHECKING

from opentelemetry.trace import Status, StatusCode

from turngraph.interfaces.telemetry.attributes import Attributes

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import SpanKind, Tracer

__all__ = ["OpenSpan"]


class OpenSpan:
    """A span from its start to its end. It is `over` when what it stands for has ended, and may be
    closed later: an amount is often known only then.
    """

    def __init__(
        self,
        tracer: "Tracer",
        name: str,
        kind: "SpanKind",
        attributes: Attributes,
        parent: "Context | None",
    ) -> None:
        self.attributes = attributes
        self.span = tracer.start_span(name, parent, kind, dict(attributes))
        self._started_at, self._ended_ns = time.monotonic(), 0

    @property
    def seconds(self) -> float:
        """The seconds since the start."""
        return time.monotonic() - self._started_at

    def set(self, attributes: Attributes) -> None:
        """Adds attributes."""
        self.attributes.update(attributes)
        self.span.set_attributes(attributes)

    def fail(self, error_type: str, description: str | None = None) -> None:
        """Marks the span as failed. `error_type` is one of few values."""
        self.set({"error.type": error_type})
        self.span.set_status(Status(StatusCode.ERROR, description))

    def over(self) -> None:
        """Notes the moment of the end."""
        self._ended_ns = time.time_ns()

    def close(self) -> None:
        """Ends the span, at the moment of its end if that was noted."""
        self.span.end(self._ended_ns or None)
