"""A picture in a notebook: as SVG, and as PNG for notebooks that are not trusted.

JupyterLab shows no SVG of a notebook that its reader did not run, and GitHub shows none at all.
"""

import base64
from functools import cache
from typing import Any

__all__ = ["Picture"]

_SHARPNESS = 2
"""Pixels of the PNG for each one of the SVG: screens of today have two."""
_PROBE = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="20" height="20">'
    '<text x="2" y="16" font-size="16" font-family="monospace">X</text></svg>'
)


class Picture(str):
    """An SVG document that a notebook shows as a picture.

    With the extra `notebook` it is also offered as a PNG on white, which is readable in light and
    dark notebooks. A machine without any font draws no text, so it offers none.

        >>> Picture('<svg xmlns="http://www.w3.org/2000/svg"/>')
        <picture, 41 characters of SVG>
    """

    __slots__ = ()

    def _repr_mimebundle_(self, **kwargs: object) -> tuple[dict[str, Any], dict[str, Any]]:
        return self.bundle(repr(self))

    def __repr__(self) -> str:
        return f"<picture, {len(self)} characters of SVG>"

    def bundle(self, text: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """Returns what a notebook is given: the forms of the picture, and their metadata.

        `text` is shown where no picture can be.
        """
        data: dict[str, Any] = {"text/plain": text, "image/svg+xml": str(self)}
        png = self.png()
        if png is None:
            return data, {}
        width = int.from_bytes(png[16:20], "big") // _SHARPNESS  # its first chunk holds its size
        return (
            {**data, "image/png": base64.b64encode(png).decode()},
            {"image/png": {"width": width}},
        )

    def png(self) -> bytes | None:
        """Returns the picture as a PNG on white; None without the extra `notebook` or any font."""
        try:
            from resvg_py import svg_to_bytes
        except ImportError:
            return None
        if not _draws_text():
            return None
        return bytes(svg_to_bytes(svg_string=str(self), background="white", zoom=_SHARPNESS))


@cache
def _draws_text() -> bool:
    """Whether this machine has a font: without one, text is left out of a PNG in silence."""
    from resvg_py import svg_to_bytes

    nothing = _PROBE.replace("X", " ")
    return bool(svg_to_bytes(svg_string=_PROBE) != svg_to_bytes(svg_string=nothing))
