"""The ids of threads and turns, which begin with the account: no other account can name them."""

from hashlib import sha256
from typing import Final
from urllib.parse import quote

__all__ = ["id_of", "part_of"]

_LONGEST: Final = 200
"""How many characters a part of an id may have: the columns of PostgreSQL and its indexes are
limited, and a name in Chinese takes nine characters for one.
"""


def id_of(*names: str) -> str:
    """The id that is made of `names`, such as an account, a model and a token.

    >>> id_of("acme", "gpt/5", "0815")
    'acme/gpt%2F5/0815'
    """
    return "/".join(map(part_of, names))


def part_of(name: str) -> str:
    """How a name stands in an id: without a slash, and no two names alike. A long one is hashed.

    >>> len(part_of("名" * 200))
    65
    """
    quoted = quote(name, safe="")
    # No quoted name has a `=`.
    return quoted if len(quoted) <= _LONGEST else f"={sha256(name.encode()).hexdigest()}"
