"""The page that loads the studio's scripts, and what its browser may load and run."""

import base64
import hashlib
import secrets
from importlib.resources import files
from typing import Final

from starlette.responses import HTMLResponse

from turngraph.drawing.svg import STYLE as GRAPH_STYLE
from turngraph.interfaces.stepper.views.charts import STYLE as CHART_STYLE
from turngraph.interfaces.stepper.views.style import DARK, LIGHT

__all__ = ["index_page"]

_HTML: Final = (files("turngraph.interfaces.studio.page") / "index.html").read_text("utf-8")
_PALETTE: Final = f":root{{{LIGHT}}}@media(prefers-color-scheme:dark){{:root{{{DARK}}}}}"


def index_page() -> HTMLResponse:
    """Returns the page. Its scripts come from the studio alone, and nothing from the network.

    https://www.w3.org/TR/CSP3/
    """
    nonce = secrets.token_urlsafe(16)
    policy = (
        "default-src 'none'; script-src 'self'; connect-src 'self'; img-src 'self'; "
        f"style-src 'self' 'nonce-{nonce}' {_hash(GRAPH_STYLE)} {_hash(CHART_STYLE)}; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    html = _HTML.replace("$NONCE", nonce).replace("$PALETTE", _PALETTE)
    return HTMLResponse(html, headers={"Content-Security-Policy": policy})


def _hash(style: str) -> str:
    """Allows this very style sheet, which stands inside the pictures that turngraph draws."""
    digest = hashlib.sha256(style.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
