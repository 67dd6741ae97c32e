"""Makes text from a vendor safe to show and to log: without keys, control characters or excess."""

import re
from collections.abc import Iterable
from typing import Final

__all__ = ["HIDDEN", "redact"]

HIDDEN: Final = "[redacted]"
KEY_LIKE: Final = re.compile(
    r"""
    # Keys by their vendors' prefixes
    \b(?:sk|pk|rk|gsk|xai|csk|fw|tgp|hf|r8|nvapi|pplx|sess|ghp|gho|ghu)[-_][\w*.-]{6,}
    | \btg_\w+_\w{16,}                 # turngraph's own
    | \bAIza[\w-]{10,}                 # Google
    | \beyJ[\w-]{8,}\.[\w.-]{8,}       # a JSON web token
    | (?<=\bBearer\s)\S+
    | (?<=\bAPI\skey\sprovided:\s)\S+  # OpenAI's 401 quotes the key
    """,
    re.VERBOSE | re.IGNORECASE,
)
UNSAFE: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""Characters that could move a terminal's cursor, break a line of a log or turn the direction of
its text.
"""
SHORTEST_SECRET: Final = 4
"""A shorter secret would tear holes into every sentence, and protects nothing."""


def redact(text: str, *, secrets: Iterable[str] = (), max_chars: int = 1000) -> str:
    r"""`text` without `secrets` and without anything that looks like a key.

    Control characters are escaped, and text beyond `max_chars` characters is cut off.

        >>> redact("Incorrect API key provided: hunter2.\n", secrets=["hunter2"])
        'Incorrect API key provided: [redacted]\\n'
    """
    for secret in secrets:
        if len(secret) >= SHORTEST_SECRET:
            text = text.replace(secret, HIDDEN)
    text = KEY_LIKE.sub(HIDDEN, text)
    text = UNSAFE.sub(lambda match: match[0].encode("unicode_escape").decode(), text)
    if len(text) <= max_chars:
        return text
    return f"{text[:max_chars]}… ({len(text) - max_chars} more characters)"
