"""Quotes values in the texts of errors, so that telling of a value never fails itself."""

__all__ = ["printable", "quoted", "written"]


def printable(text: str) -> str:
    """Returns `text` with escapes for lone surrogates, which no file, log or answer can hold.

    >>> printable(chr(0xD800))
    '\\\\ud800'
    """
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def quoted(value: object, limit: int = 100) -> str:
    """Returns a text as it is, and anything else as Python writes it, at most `limit` characters.

    What Python cannot write, such as a number of 5,000 digits, is named by its class.

        >>> quoted("one"), quoted([1]), quoted(10**5000)
        ('one', '[1]', 'a int')
    """
    return _shortened(value, limit) if isinstance(value, str) else written(value, limit)


def written(value: object, limit: int = 100) -> str:
    """Returns anything, also a text, as Python writes it: what `quoted` does, but for texts.

    >>> written("one")
    "'one'"
    """
    try:
        return _shortened(repr(value), limit)
    except Exception:  # noqa: BLE001  a class may raise anything from its `__repr__`
        return f"a {type(value).__name__}"


def _shortened(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[:limit]}…"
