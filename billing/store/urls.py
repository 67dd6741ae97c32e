"""Reads the URL of a ledger's database, and shows it and its errors without the password."""

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from turngraph.state.errors import TurnConfigurationError

if TYPE_CHECKING:
    from sqlalchemy import URL

__all__ = ["error_text", "parse_url", "shown_url"]

_PASSWORD: Final = re.compile(r"^([^:/@]*):(.*)@")
_IN_QUERY: Final = re.compile(r"(?i)(passw(?:or)?d=)([^&#]*)")


def parse_url(url: str) -> "URL":
    """Returns `url` as SQLAlchemy's object. Raises `TurnConfigurationError` if it is not one.

    >>> parse_url("postgres://bob@db/turns").get_backend_name()
    'postgresql'
    """
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    if not isinstance(url, str):
        raise TurnConfigurationError(
            f"A ledger's URL is a text such as `sqlite:///turns.db`, not {type(url).__name__}."
        )
    if "://" not in url:
        raise TurnConfigurationError(
            f"`{shown_url(url)[:80]}` is not a database URL. Write a SQLAlchemy URL, such as "
            f"`sqlite:///{shown_url(url)[:80]}`."
        )
    # A parser would take a part of the password for the host, and print it in its errors.
    if _has_stray_at(url):
        raise TurnConfigurationError(
            f"`{shown_url(url)}` has an `@` too many: in a password, write `@` as `%40` and `?` as "
            "`%3F`."
        )
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise TurnConfigurationError(
            f"`{shown_url(url)}` is not a database URL. One looks like "
            "`postgresql://user@host:5432/db`."
        ) from None
    # SQLAlchemy knows only `postgresql`, but many hosting companies give out `postgres://…`.
    return parsed.set(drivername="postgresql") if parsed.drivername == "postgres" else parsed


def shown_url(url: str) -> str:
    """Returns `url` as it may be shown: without its password, wherever the password is.

    >>> shown_url("postgresql://bob:secret@db/turns")
    'postgresql://bob:***@db/turns'
    >>> shown_url("postgresql://db/turns?user=bob&password=secret")
    'postgresql://db/turns?user=bob&password=***'
    """
    scheme, mark, rest = url.partition("://") if "://" in url else ("", "", url)
    if _has_stray_at(url):
        return f"{scheme}{mark}***"
    return scheme + mark + _IN_QUERY.sub(r"\1***", _PASSWORD.sub(r"\1:***@", rest))


def error_text(error: BaseException, url: str) -> str:
    """Returns what a database's error says, on one line, without the password of `url`.

    >>> error_text(OSError("no route to db for bob:x1"), "postgresql://bob:x1@db/turns")
    'no route to db for bob:***'
    """
    cause = getattr(error, "orig", None) or error
    text = " ".join(str(cause).split()) or type(cause).__name__
    rest = url.partition("://")[2]
    secrets = [match[2] for pattern in (_PASSWORD, _IN_QUERY) for match in pattern.finditer(rest)]
    # A driver may print the password as it is in the URL, or decoded.
    for secret in {form for each in secrets if each for form in (each, unquote(each))}:
        text = text.replace(secret, "***")
    return text[:500].rstrip(".?")


def _has_stray_at(url: str) -> bool:
    """Returns whether an `@` is somewhere else than before a server's name. A file's path may
    contain any.
    """
    scheme, _, rest = url.partition("://")
    before, _, after = rest.partition("@")
    return not scheme.startswith("sqlite") and "@" in rest and ("@" in after or "?" in before)
