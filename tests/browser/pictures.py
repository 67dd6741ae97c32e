"""Screenshots: those of docs/ go to the folder `TURNGRAPH_SCREENSHOTS`, those of every look to
`TURNGRAPH_LOOKS`. Without these variables none are taken.
"""

import os
from pathlib import Path
from typing import Any

__all__ = ["WIDTHS", "keep_looks", "keep_picture"]

WIDTHS = (1440, 900, 390)


def keep_picture(page: Any, name: str) -> None:
    """Takes a screenshot of what a person sees first."""
    if folder := os.environ.get("TURNGRAPH_SCREENSHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.evaluate("scrollTo(0, 0)")
        page.screenshot(path=f"{folder}/{name}.png")


def keep_looks(page: Any, name: str) -> None:
    """Takes screenshots of the whole page, wide and narrow, light and dark."""
    folder = os.environ.get("TURNGRAPH_LOOKS")
    if not folder:
        return
    Path(folder).mkdir(parents=True, exist_ok=True)
    size = page.viewport_size
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        page.evaluate("scrollTo(0, 0)")  # what sticks to the top stands there
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            page.wait_for_timeout(100)
            page.screenshot(path=f"{folder}/{name}-{width}-{scheme}.png", full_page=True)
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(size)
