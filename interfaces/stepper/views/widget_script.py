"""The widget's script as one module: a notebook loads no second file."""

import re
from functools import cache
from importlib.resources import files
from typing import Final

__all__ = ["widget_script"]

_FILES: Final = ("elements.js", "controls.js", "pauses.js", "widget.js")
"""Each imports only from those before it."""
_IMPORT: Final = re.compile(r"^import .*\n", re.MULTILINE)
_EXPORT: Final = re.compile(r"^export (?!default)", re.MULTILINE)


@cache
def widget_script() -> str:
    """Returns the source of a JavaScript module without imports.

    Its default export is an anywidget (https://anywidget.dev/en/afm/).

    >>> "import {" in widget_script()
    False
    """
    folder = files("turngraph.interfaces.stepper.views.script")
    texts = [(folder / name).read_text("utf-8") for name in _FILES]
    return _EXPORT.sub("", _IMPORT.sub("", "\n".join(texts)))
