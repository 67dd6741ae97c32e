"""Names that stand for placeholders and bound parameters while a query is a parsed tree.

`{name}` is not SQL. Before parsing it becomes an identifier (a placeholder marker), which the
parser accepts wherever a value or a name may stand. Binding replaces it by a second kind of
identifier (a bind marker), which becomes `:p0`, `:p1`, … when the tree is written as SQL.
"""

import re
from typing import Final

__all__ = [
    "BIND_MARKER",
    "PLACEHOLDER_MARKER",
    "StatementError",
    "bind_marker",
    "check_markers_unused",
    "marked_name",
    "name_error",
    "placeholder_marker",
]

PLACEHOLDER_MARKER: Final = re.compile(r"tgparam_(\w+?)_tgend")
BIND_MARKER: Final = re.compile(r"tgbind_(\d+)_tgend")


class StatementError(ValueError):
    """A query that a plugin may not send. The text is for the author of the manifest."""


def placeholder_marker(name: str) -> str:
    """Returns the identifier for the placeholder `{name}`."""
    return f"tgparam_{name}_tgend"


def bind_marker(index: int) -> str:
    """Returns the identifier for the bound parameter with this index."""
    return f"tgbind_{index}_tgend"


def check_markers_unused(query: str) -> None:
    """Raises StatementError if `query` contains the beginning of a marker.

    Otherwise an author could write a marker by hand and so place a value where no check looks.
    """
    if "tgparam_" in query or "tgbind_" in query:
        raise StatementError(
            "the query contains `tgparam_` or `tgbind_`, which turngraph reserves; use other names"
        )


def marked_name(text: str) -> str:
    """Returns the name of the placeholder whose marker is in `text`."""
    found = PLACEHOLDER_MARKER.search(text)
    assert found is not None, "callers have found the marker"
    return found[1]


def name_error(marker: str) -> StatementError:
    """Returns the error for a placeholder that stands where SQL wants the name of something.

    Databases bind values only. The name of a table would have to be pasted into the text, which is
    SQL injection (https://cwe.mitre.org/data/definitions/89.html).
    """
    return StatementError(
        f"the placeholder {{{marked_name(marker)}}} stands where SQL needs a name; a placeholder "
        "can only be a value"
    )
