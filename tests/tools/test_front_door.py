"""What `turngraph.tools` exports, and that importing it is cheap."""

import subprocess
import sys
from pathlib import Path

import turngraph.tools as tools


def test_every_exported_name_can_be_imported() -> None:
    """Names are loaded lazily, so a wrong one would fail only at its first use."""
    for name in tools.__all__:
        assert getattr(tools, name) is not None
    assert tools.__all__ == sorted(tools.__all__)


def test_a_tool_is_never_hidden_by_a_module_of_its_name() -> None:
    """`turngraph.tools.calculator` must be the tool, also after its module was imported."""
    for name in tools.__all__:
        assert type(getattr(tools, name)).__name__ != "module"
        assert not (Path(tools.__file__).parent / f"{name}.py").exists()


def test_the_import_loads_no_heavy_library() -> None:
    """Heavy libraries are imported where they are used."""
    heavy = (
        "{'aiohttp', 'httpx', 'langchain_core', 'langgraph', 'openai', 'sqlalchemy', 'sqlglot', "
        "'yaml', 'mcp'}"
    )
    code = (
        f"import sys, turngraph.tools; found = {heavy} & set(sys.modules); assert not found, found"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
