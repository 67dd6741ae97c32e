"""The public names: they are written down, they exist, and listing them loads nothing heavy."""

import ast
import importlib
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import turngraph
from tests.paths import ROOMS

PACKAGES = [
    "turngraph",
    *(f"turngraph.{room}" for room in ROOMS),
    "turngraph.interfaces.stepper",
    "turngraph.interfaces.studio",
]
PUBLIC = (Path(__file__).parent / "public_names.txt").read_text("utf-8").splitlines()


def names_of(package: str) -> list[str]:
    return [f"{package}.{name}" for name in importlib.import_module(package).__all__]


def test_what_is_public_is_written_down() -> None:
    """A name that joins or leaves changes what users may rely on: change `public_names.txt` too,
    and say so in `CHANGELOG.md`.
    """
    assert [name for package in PACKAGES for name in names_of(package)] == PUBLIC


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_opens(package: str) -> None:
    """Names are loaded when they are first used; one without a home would only fail then."""
    module = importlib.import_module(package)
    assert module.__all__ == sorted(module.__all__)
    for name in module.__all__:
        assert not isinstance(getattr(module, name), ModuleType), f"{name} is hidden by a module"


@pytest.mark.parametrize("package", PACKAGES)
def test_a_public_name_is_never_hidden_by_a_module_of_its_name(package: str) -> None:
    """`turngraph.tools.calculator` must be the tool, also after a file of its name is loaded."""
    module = importlib.import_module(package)
    folder = Path(str(module.__file__)).parent
    taken = {file.stem for file in folder.glob("*.py")} | {file.name for file in folder.iterdir()}
    assert taken.isdisjoint(module.__all__)


@pytest.mark.parametrize("package", PACKAGES)
def test_listing_the_names_loads_nothing_heavy(package: str) -> None:
    """`import turngraph` must stay fast: what a name needs is loaded when the name is used."""
    heavy = {
        *("aiohttp", "anyio", "genai_prices", "httpx", "langchain", "langchain_core", "langgraph"),
        *("mcp", "openai", "pydantic", "sqlalchemy", "sqlglot", "yaml"),
    }
    code = f"import sys, {package}; print(sorted({heavy} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_the_front_door_opens_without_any_extra() -> None:
    """`help(turngraph)` and `from turngraph import *` look at every name, and a plain
    `pip install turngraph` has none of the extras.
    """
    extras = ("anywidget", "langchain", "mcp", "opentelemetry", "psycopg", "starlette", "textual")
    code = f"""
import pydoc, sys
sys.modules.update(dict.fromkeys({extras}))
import turngraph
pydoc.render_doc(turngraph)
from turngraph import *
try:
    LedgerMiddleware(Ledger("sqlite://"))
except TurnConfigurationError as error:
    print(error)
try:
    from turngraph.interfaces.studio import studio_app
except TurnConfigurationError as error:
    print(error)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.stdout.splitlines() == [
        "LedgerMiddleware needs LangChain: pip install 'turngraph[langchain]'.",
        "The studio needs Starlette: pip install 'turngraph[studio]'.",
    ], run.stderr


def test_a_door_names_only_what_its_stub_names() -> None:
    """`__init__.pyi` is the one list: what type checkers see is what Python finds."""
    for package in PACKAGES:
        file = importlib.import_module(package).__file__
        assert file is not None
        tree = ast.parse(Path(file).with_suffix(".pyi").read_text("utf-8"))
        imported = {
            alias.asname or alias.name
            for node in tree.body
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }
        assert imported == set(importlib.import_module(package).__all__)


def test_a_clone_that_hides_the_installed_package_says_so(tmp_path: Path) -> None:
    """Python looks into the current folder first. A clone without `make install` has a `turngraph/`
    with `turngraph/__init__.py` alone.
    """
    clone = tmp_path / "turngraph"
    clone.mkdir()
    for name in ("__init__.py", "__init__.pyi"):
        shutil.copy(Path(turngraph.__file__).parent / name, clone)
    run = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import sys; sys.path[:0] = [{str(tmp_path)!r}]\n"
            "sys.meta_path = [f for f in sys.meta_path if 'editable' not in repr(f)]\n"
            "from turngraph import chat_turn",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode != 0
    assert "Run `make install` or `pip install -e .` in the clone" in run.stderr
