"""A ledger's URL: read, and shown without its password."""

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from turngraph.state.errors import TurnConfigurationError

if TYPE_CHECKING:
    from sqlalchemy import URL

__all__ = ["parse_url", "shown_url", "told"]

_PASSWORD: Final = re.compile(r"^([^:/@]*):(.*)@")
_IN_QUERY: Final = re.compile(r"(?i)(passw(?:or)?d=)([^&#]*)")


def parse_url(url: str) -> "URL":
    """`url` as SQLAlchemy has it. Raises `TurnConfigurationError` for what is none.

    >>> parse_url("postgres://bob@db/turns").get_backend_name()
    'postgresql'
    """
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    if "://" not in url:
        raise TurnConfigurationError(
            f"A ledger's `url` is SQLAlchemy's, as in `sqlite:///{shown_url(url)[:80]}`."
        )
    if _is_torn(
        url
    ):  # whoever reads it would take a part of the password for the host, and name it in errors
        raise TurnConfigurationError(
            f"`{shown_url(url)}` has an `@` too many: in a password, write `@` as `%40` and `?` as `%3F`."
        )
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise TurnConfigurationError(
            f"`{shown_url(url)}` is no database URL, as `postgresql://user@host:5432/db` is."
        ) from None
    # Many hosts hand out `postgres://…`.
    return parsed.set(drivername="postgresql") if parsed.drivername == "postgres" else parsed


def shown_url(url: str) -> str:
    """`url` as it may be shown: without its password, wherever that stands.

    >>> shown_url("postgresql://bob:secret@db/turns"), shown_url("postgresql://db/turns?user=bob&password=secret")
    ('postgresql://bob:***@db/turns', 'postgresql://db/turns?user=bob&password=***')
    """
    scheme, mark, rest = url.partition("://") if "://" in url else ("", "", url)
    if _is_torn(url):
        return f"{scheme}{mark}***"
    return scheme + mark + _IN_QUERY.sub(r"\1***", _PASSWORD.sub(r"\1:***@", rest))


def told(error: BaseException, url: str) -> str:
    """What a database's error says, on one line, without the password of `url`.

    >>> told(OSError("no route to db for bob:x1"), "postgresql://bob:x1@db/turns")
    'no route to db for bob:***'
    """
    cause = getattr(error, "orig", None) or error
    said = " ".join(str(cause).split()) or type(cause).__name__
    rest = url.partition("://")[2]
    found = [match[2] for pattern in (_PASSWORD, _IN_QUERY) for match in pattern.finditer(rest)]
    for secret in {form for each in found if each for form in (each, unquote(each))}:
        said = said.replace(secret, "***")
    return said[:500].rstrip(".?")


def _is_torn(url: str) -> bool:
    """Whether an `@` stands elsewhere than before a server's name. In a file's path it may stand
    anywhere.
    """
    scheme, _, rest = url.partition("://")
    before, _, after = rest.partition("@")
    return not scheme.startswith("sqlite") and "@" in rest and ("@" in after or "?" in before)
