from .picture import (
    Picture as Picture,
)
from .svg import (
    draw_svg as draw_svg,
)
from .text import (
    draw_text as draw_text,
)

__all__ = [
    "Picture",
    "draw_svg",
    "draw_text",
]
