"""Reports the failure of a tool: one safe sentence for the model, the traceback for the log."""

import logging
import re
import traceback
from typing import Final

from turngraph.tools.output import ToolOutput, clean
from turngraph.tools.text import one_line

__all__ = ["describe_error", "error_output", "mask_secrets"]

logger = logging.getLogger("turngraph.tools")

MAX_SENTENCE: Final = 500
"""Characters of the sentence about a failure."""
MASK: Final = "***"
SECRETS: Final = (
    # An `Authorization` header: its scheme and the credentials after it.
    (re.compile(r"(?i)\b(bearer|basic|token)\s+[\w.~+/=-]{8,}"), rf"\1 {MASK}"),
    # The user and password in a URL or in a database DSN.
    (re.compile(r"(?<=://)[^/\s:@]*:[^/\s@]+(?=@)"), MASK),
    # Keys that vendors mark by a prefix: OpenAI, Stripe, turngraph, GitHub, Slack, GitLab, AWS,
    # Google.
    (
        re.compile(
            r"\b(?:sk|pk|rk|tg|ghp|gho|xox[abp]|key|glpat|AKIA|AIza)[-_]?[A-Za-z0-9_-]{12,}"
        ),
        MASK,
    ),
    # A field that names itself a secret, in a query string, in JSON or in a keyword argument.
    (
        re.compile(
            r"(?i)\b([\w-]*(?:api[-_]?key|password|passwd|pwd|secret|token|authorization))"
            r"(\"?'?\s*[:=]\s*[\"']?)[^\s\"',;&)]+"
        ),
        rf"\1\2{MASK}",
    ),
)
"""The forms in which keys and passwords appear in error messages, and their replacements."""


def mask_secrets(text: str) -> str:
    """Returns `text` with everything masked that looks like a key, a token or a password.

    >>> mask_secrets("GET https://bob:hunter2@db/?api_key=12345 with Bearer abcdefghijk")
    'GET https://***@db/?api_key=*** with Bearer ***'
    """
    for pattern, mask in SECRETS:
        text = pattern.sub(mask, text)
    return text


def describe_error(error: BaseException) -> str:
    """Returns type and message of `error` on one line: no traceback, secrets masked, at most 500
    characters.

    >>> describe_error(ValueError("no such city: Oz"))
    'ValueError: no such city: Oz'
    """
    try:
        message = one_line(clean(str(error)[:10_000]))
    except Exception:  # noqa: BLE001  a foreign `__str__` may raise anything; the type is still useful
        message = ""
    line = mask_secrets(f"{type(error).__name__}: {message}" if message else type(error).__name__)
    return line if len(line) <= MAX_SENTENCE else f"{line[: MAX_SENTENCE - 1]}…"


def error_output(name: str, error: BaseException) -> ToolOutput:
    """Returns what the model reads about `error`, which the tool `name` raised, and logs it.

    A ToolException is a sentence the tool wrote for the model, so only that sentence is logged. For
    any other error the log gets the traceback, with secrets masked.
    """
    from langchain_core.tools import ToolException

    sentence = describe_error(error)
    if isinstance(error, ToolException):
        sentence = sentence.removeprefix("ToolException: ")
        logger.info("tool %s refused: %s", name, sentence, extra={"tool": name})
    else:
        detail = mask_secrets(clean("".join(traceback.format_exception(error))))
        logger.warning("tool %s failed: %s\n%s", name, sentence, detail, extra={"tool": name})
    return ToolOutput(content=f"Error: {sentence}", status="error")
