"""Makes foreign text safe for a terminal, and amounts readable."""

import re
from decimal import Decimal
from typing import Final

__all__ = ["money", "one_line", "printable"]

_CONTROL: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
"""Every control character but tab and newline: an escape sequence in an answer could rewrite the
screen or the clipboard. Half a surrogate pair, which JSON may hold, cannot be encoded at all.
"""


def printable(text: str) -> str:
    r"""Returns `text` with a visible symbol in the place of every control character.

    >>> printable("\x1b[2Jgone?")
    '␛[2Jgone?'
    """
    return _CONTROL.sub(lambda match: _symbol(ord(match.group())), text)


def one_line(text: str, width: int) -> str:
    """Returns `text` on one line of at most `width` characters, with an ellipsis where it is cut.

    >>> one_line("two\\n  lines of text", 12)
    'two lines o…'
    """
    flat = printable(" ".join(text.split()))
    return flat if len(flat) <= width else flat[: width - 1] + "…"


def money(amount: Decimal | None) -> str:
    """Returns an amount in USD, without final zeros; None is `no price`, which is not zero.

    >>> money(Decimal("0.00008610")), money(Decimal("12.5")), money(Decimal(0)), money(None)
    ('$0.0000861', '$12.50', '$0', 'no price')
    """
    if amount is None:
        return "no price"
    if amount == 0:
        return "$0"
    whole, _, digits = f"{amount:f}".partition(".")
    return f"${whole}.{digits.rstrip('0').ljust(2, '0')}"


def _symbol(code: int) -> str:
    # Unicode has a symbol for each control character below 0x20, in the same order.
    return chr(0x2400 + code) if code < 0x20 else "␡" if code == 0x7F else "�"
