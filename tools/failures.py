"""A tool that failed, as one safe sentence for the model, and in full for the log."""

import logging
import re
import traceback
from typing import Final

from turngraph.tools.output import ToolOutput, clean

__all__ = ["failed", "sentence", "without_secrets"]

logger = logging.getLogger("turngraph.tools")

LONGEST: Final = 500
"""Characters of a sentence that tells a failure."""
MASK: Final = "***"
SECRETS: Final = (
    (re.compile(r"(?i)\b(bearer|basic|token)\s+[\w.~+/=-]{8,}"), rf"\1 {MASK}"),
    (re.compile(r"(?<=://)[^/\s:@]*:[^/\s@]+(?=@)"), MASK),
    (
        re.compile(
            r"\b(?:sk|pk|rk|tg|ghp|gho|xox[abp]|key|glpat|AKIA|AIza)[-_]?[A-Za-z0-9_-]{12,}"
        ),
        MASK,
    ),
    (
        re.compile(
            r"(?i)\b([\w-]*(?:api[-_]?key|password|passwd|pwd|secret|token|authorization))(\"?'?\s*[:=]\s*[\"']?)[^\s\"',;&)]+"
        ),
        rf"\1\2{MASK}",
    ),
)
"""Forms in which keys and passwords turn up in messages of errors."""


def without_secrets(text: str) -> str:
    """`text` with what looks like a key, a token or a password masked.

    >>> without_secrets("GET https://bob:hunter2@db/?api_key=12345 with Bearer abcdefghijk")
    'GET https://***@db/?api_key=*** with Bearer ***'
    """
    for pattern, mask in SECRETS:
        text = pattern.sub(mask, text)
    return text


def sentence(error: BaseException) -> str:
    """`error` in one line: its type and message, no traceback, at most 500 characters, secrets
    masked.

    >>> sentence(ValueError("no such city: Oz"))
    'ValueError: no such city: Oz'
    """
    try:
        said = " ".join(clean(str(error)[:10_000]).split())
    except Exception:  # noqa: BLE001  a stranger's __str__ may raise anything, and its type still tells something
        said = ""
    line = without_secrets(f"{type(error).__name__}: {said}" if said else type(error).__name__)
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def failed(name: str, error: BaseException) -> ToolOutput:
    """What the model is told of `error`, raised by tool `name`.

    A ToolException is the tool's own sentence. Of anything else the log gets the traceback, secrets
    masked.
    """
    from langchain_core.tools import ToolException

    if isinstance(error, ToolException):
        told = sentence(error).removeprefix("ToolException: ")
        logger.info("tool %s refused: %s", name, told, extra={"tool": name})
    else:
        told = sentence(error)
        detail = without_secrets(clean("".join(traceback.format_exception(error))))
        logger.warning("tool %s failed: %s\n%s", name, told, detail, extra={"tool": name})
    return ToolOutput(content=f"Error: {told}", status="error")
