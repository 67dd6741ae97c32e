"""Text from a vendor, made fit to be shown and logged: no keys, no control characters, not too
long.
"""

import re
from collections.abc import Iterable
from typing import Final

__all__ = ["shown"]

HIDDEN: Final = "[redacted]"
KEY_LIKE: Final = re.compile(
    r"""
    \b(?:sk|pk|rk|gsk|xai|csk|fw|tgp|hf|r8|nvapi|pplx|sess|ghp|gho|ghu)[-_][\w*.-]{6,}   # vendors' prefixes
    | \btg_\w+_\w{16,}                                                                   # turngraph's own
    | \bAIza[\w-]{10,}                                                                   # Google
    | \beyJ[\w-]{8,}\.[\w.-]{8,}                                                         # a JSON web token
    | (?<=\bBearer\s)\S+
    | (?<=\bAPI\skey\sprovided:\s)\S+                                                    # OpenAI's 401 quotes the key
    """,
    re.VERBOSE | re.IGNORECASE,
)
UNSAFE: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""What could move a terminal's cursor, break a log's line or turn the direction of its text."""


def shown(text: str, *, secrets: Iterable[str] = (), most: int = 1000) -> str:
    r"""`text` without `secrets` and anything that looks like a key, control characters escaped, cut
    at `most`.

    >>> shown("Incorrect API key provided: hunter2.\n", secrets=["hunter2"])
    'Incorrect API key provided: [redacted]\\n'
    """
    for secret in secrets:
        if len(secret) >= 4:  # a shorter one would tear up every sentence, and protects nothing
            text = text.replace(secret, HIDDEN)
    text = UNSAFE.sub(lambda m: m[0].encode("unicode_escape").decode(), KEY_LIKE.sub(HIDDEN, text))
    return text if len(text) <= most else f"{text[:most]}… ({len(text) - most} more characters)"
