"""A picture reaches readers who see no SVG: as PNG, drawn here."""

import base64
import os
import subprocess
import sys
from pathlib import Path

import pytest

from turngraph.drawing import Picture, draw_svg
from turngraph.graphs import chat_turn

pytest.importorskip("resvg_py", reason="needs the extra `notebook`")
SHOWS_PNG = """
from turngraph.drawing import Picture
print(Picture('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>').png() is not None)
"""


def test_a_turn_is_svg_png_and_text_and_no_mermaid() -> None:
    """The PNG is on white, so it is readable in a dark notebook too; it is as wide as the SVG."""
    turn = chat_turn("scripted")
    data, metadata = turn._repr_mimebundle_()
    assert set(data) == {"text/plain", "image/svg+xml", "image/png"}
    assert "call_llm" in data["text/plain"]
    png = base64.b64decode(data["image/png"])
    assert png.startswith(b"\x89PNG")
    assert metadata["image/png"]["width"] * 2 == int.from_bytes(png[16:20], "big")
    without_text = Picture(data["image/svg+xml"].replace("call_llm", "")).png()
    assert without_text is not None
    assert png != without_text, "the names of the stages are drawn"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems find their fonts elsewhere")
def test_a_machine_without_fonts_offers_no_picture_without_text(tmp_path: Path) -> None:
    """Boxes without names would be worse than the text."""
    config = tmp_path / "fonts.conf"
    config.write_text(f"<fontconfig><dir>{tmp_path}</dir></fontconfig>")
    for environ, shows in (({}, "True"), ({"FONTCONFIG_FILE": str(config)}, "False")):
        run = subprocess.run(
            [sys.executable, "-c", SHOWS_PNG],
            env={**os.environ, **environ},
            capture_output=True,
            text=True,
            check=True,
        )
        assert run.stdout.strip() == shows


def test_any_graph_is_a_picture() -> None:
    """Its text says that it is one."""
    picture = Picture(draw_svg(chat_turn("scripted").get_graph()))
    assert repr(picture) == f"<picture, {len(picture)} characters of SVG>"
    assert picture.bundle("a turn")[0]["text/plain"] == "a turn"
