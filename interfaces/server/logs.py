"""Structured logs: one JSON object a line, without keys and without what people say to models.

A message is written by this program and holds names and numbers. The text of an exception may hold
a part of a request, so only its type is logged, and where it was raised.
"""

import json
import logging
import sys
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

__all__ = ["JsonFormatter", "fields", "log_to", "note", "warnings_kept"]

FIELDS: Final = "turngraph_fields"
"""The attribute of a log record that holds further members of its line."""


# `json.dumps` makes an encoder anew for every call that has options.
_json: Final = json.JSONEncoder(ensure_ascii=False, default=str).encode


class JsonFormatter(logging.Formatter):
    """Writes a log record as one JSON object.

    >>> record = logging.LogRecord("a", logging.INFO, "f.py", 1, "%d turns", (3,), None)
    >>> JsonFormatter().format(record).partition('"level"')[2]
    ': "info", "logger": "a", "message": "3 turns"}'
    """

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        line: dict[str, Any] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
            + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, FIELDS, {}),
        }
        if record.exc_info and record.exc_info[1] is not None:
            line["error"] = type(record.exc_info[1]).__name__
            line["at"] = [
                f"{frame.filename}:{frame.lineno}"
                for frame in traceback.extract_tb(record.exc_info[2])[-8:]
            ]
        return _json(line)


def log_to(stream: Any = None, *, level: int = logging.INFO) -> None:
    """Sends the logs of turngraph and uvicorn to `stream`, standard error by default."""
    handler = logging.StreamHandler(sys.stderr if stream is None else stream)
    handler.setFormatter(JsonFormatter())
    for name in ("turngraph", "uvicorn"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(level)


@contextmanager
def warnings_kept() -> Iterator[list[str]]:
    """Yields a list of what turngraph warns of in the block, which is logged nowhere else."""
    kept: list[str] = []

    class _Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            kept.append(record.getMessage())

    logger = logging.getLogger("turngraph")
    before = logger.handlers, logger.propagate
    logger.handlers, logger.propagate = [_Keep(logging.WARNING)], False
    try:
        yield kept
    finally:
        logger.handlers, logger.propagate = before


def note(logger: logging.Logger, message: str, values: Mapping[str, Any]) -> None:
    """Logs `values` as information, of an event that is too frequent to look for the line of the
    program that tells of it.
    """
    if logger.isEnabledFor(logging.INFO):
        more = fields(values)
        logger.handle(
            logger.makeRecord(logger.name, logging.INFO, "", 0, message, (), None, extra=more)
        )


def fields(values: Mapping[str, Any]) -> dict[str, Any]:
    """`values` as the `extra` of a log call; those that are None are left out."""
    return {FIELDS: {name: value for name, value in values.items() if value is not None}}
