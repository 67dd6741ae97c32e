"""Reports the failure of a tool: one safe sentence for the model, its type for the log."""

import logging
import re
import traceback
from collections.abc import Mapping
from typing import Final

from langchain_core.tools import ToolException

from turngraph.state.json_types import JsonObject
from turngraph.tools.output import ToolOutput, clean
from turngraph.tools.text import one_line

__all__ = ["IllustratedError", "describe_error", "error_output", "log_failure", "mask_secrets"]

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


class IllustratedError(ToolException):
    """A refusal of a tool with pictures, sounds or files beside its sentence.

    `media` are content blocks of LangChain. The sentence names each of them.
    """

    def __init__(self, sentence: str, media: tuple[JsonObject, ...]) -> None:
        super().__init__(sentence)
        self.media = media


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

    The text of an exception may hold what people say to models. So only its type is logged, and
    where it was raised; at the level DEBUG also its text and the traceback, with secrets masked.
    """
    sentence = describe_error(error)
    of_tool = {"tool": name}
    if isinstance(error, ToolException):
        sentence = sentence.removeprefix("ToolException: ").removeprefix("IllustratedError: ")
        logger.info("tool %s refused its call", name, extra=of_tool)
        logger.debug("tool %s refused: %s", name, sentence, extra=of_tool)
    else:
        log_failure(f"tool {name} failed", error, of_tool)
    media = error.media if isinstance(error, IllustratedError) else ()
    return ToolOutput(content=f"Error: {sentence}", status="error", media=media)


def log_failure(event: str, error: BaseException, fields: Mapping[str, str] | None = None) -> None:
    """Logs what happened as a warning, with the type of `error` and where it was raised.

    Its text may hold a query, an address or what people say to models: that, with the traceback,
    is logged at the level DEBUG alone, with secrets masked.

    fields: further fields of the log record.
    """
    kind = type(error).__name__
    logger.warning("%s: %s%s", event, kind, _place_of(error), extra=fields)
    if logger.isEnabledFor(logging.DEBUG):
        detail = mask_secrets(clean("".join(traceback.format_exception(error))))
        logger.debug("%s: %s\n%s", event, describe_error(error), detail, extra=fields)


def _place_of(error: BaseException) -> str:
    """Where `error` was raised, as in ` at my_tools.py:12`; nothing where nobody knows."""
    frames = traceback.extract_tb(error.__traceback__)
    return f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
