"""Placeholders in queries, addresses and bodies: `{name}` stands for the parameter `name`.

A placeholder is a name in braces and nothing else: no attribute access, no formats, no expressions.
Python's `str.format` would let a manifest reach into the objects it formats.
"""

import re
from collections.abc import Collection, Iterable
from typing import Final

from turngraph.tools.text import backticked

__all__ = ["PLACEHOLDER", "undefined_placeholder", "unused_parameters"]

PLACEHOLDER: Final = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")


def undefined_placeholder(names: Iterable[str], parameters: Collection[str]) -> str | None:
    """Returns a message about the first of `names` that is not among `parameters`, or None.

    >>> undefined_placeholder(["city", "cit"], ["city"])
    'the placeholder {cit} is not a parameter (parameters: `city`)'
    """
    for name in names:
        if name not in parameters:
            known = backticked(parameters)
            return f"the placeholder {{{name}}} is not a parameter (parameters: {known})"
    return None


def unused_parameters(template: str, parameters: Iterable[str]) -> list[str]:
    """Returns those of `parameters` that have no placeholder in `template`.

    >>> unused_parameters("SELECT * FROM t WHERE a = {a}", ["a", "b"])
    ['b']
    """
    used = set(PLACEHOLDER.findall(template))
    return [name for name in parameters if name not in used]
