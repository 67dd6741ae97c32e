"""Tells a request of another web page, or of a foreign name for this machine, from a program's own.

Any page that is open in a browser may send requests to any port of the machine. Such a request
carries that page's `Origin`; a name that was bound to 127.0.0.1 later ("DNS rebinding") shows in
`Host`.

Source: https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/Sec-Fetch-Site
"""

import re
from collections.abc import Mapping
from typing import Final

__all__ = ["is_from_foreign_page", "names_this_machine"]

_LOOPBACK: Final = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:\d+)?")


def names_this_machine(host: str) -> bool:
    """Whether the header `Host` is a loopback name, with or without a port.

    >>> names_this_machine("localhost:8000"), names_this_machine("evil.example")
    (True, False)
    """
    return _LOOPBACK.fullmatch(host) is not None


def is_from_foreign_page(headers: Mapping[str, str]) -> bool:
    """Whether a page of another origin has sent the request. `headers` has lower-case names.

    >>> is_from_foreign_page({"origin": "http://evil.example", "host": "127.0.0.1:8000"})
    True
    >>> is_from_foreign_page({"host": "127.0.0.1:8000"})  # a program, not a page
    False
    """
    origin = headers.get("origin")
    if origin is not None:
        return origin.partition("://")[2] != headers.get("host")
    # `none`: the person has typed the address. Programs that are no browsers do not send it.
    return headers.get("sec-fetch-site") not in (None, "none", "same-origin")
