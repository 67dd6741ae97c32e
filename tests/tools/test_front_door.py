"""What `turngraph.tools` exports, and that looking at it costs nothing."""

import subprocess
import sys
from pathlib import Path

import turngraph.tools as tools


def test_the_front_door_opens_on_everything_it_names() -> None:
    """Names are loaded when first used; a name without a home would only fail then."""
    for name in tools.__all__:
        assert getattr(tools, name) is not None
    assert tools.__all__ == sorted(tools.__all__)


def test_a_tool_is_never_hidden_by_a_module_of_its_name() -> None:
    """`turngraph.tools.calculator` must be the tool, also after its file was imported."""
    for name in tools.__all__:
        assert type(getattr(tools, name)).__name__ != "module"
        assert not (Path(tools.__file__).parent / f"{name}.py").exists()


def test_looking_in_loads_nothing_heavy() -> None:
    """A plain `import turngraph.tools` must stay cheap; heavy libraries come when used."""
    heavy = "{'aiohttp', 'httpx', 'langchain_core', 'langgraph', 'openai', 'sqlalchemy', 'sqlglot', 'yaml', 'mcp'}"
    code = (
        f"import sys, turngraph.tools; found = {heavy} & set(sys.modules); assert not found, found"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
