"""Data flows one way: a room imports from lower floors only, and everything importable ships."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.paths import ROOMS, ROOT

FLOORS = [
    {"state"},
    {"providers", "scripted", "drawing", "tools", "billing"},
    {"nodes"},
    {"graphs"},
    {"interfaces"},
]
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}


def modules() -> dict[str, Path]:
    """Every module of the rooms, by its full name."""
    files = [file for room in ROOMS for file in (ROOT / room).rglob("*.py")]
    parts = {file: file.relative_to(ROOT).with_suffix("").parts for file in files}
    return {
        ".".join(("turngraph", *(part for part in names if part != "__init__"))): file
        for file, names in parts.items()
    }


def imports_of(file: Path, known: dict[str, Path]) -> Iterator[str]:
    """The modules of turngraph that `file` imports: at its top, in functions, or for types only."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name.startswith("turngraph"))
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("turngraph"):
            for name in node.names:
                submodule = f"{node.module}.{name.name}"
                yield submodule if submodule in known else str(node.module)


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_only_looks_down(room: str) -> None:
    """An import that climbs or crosses a floor is a mistake, also a lazy one and one for types."""
    known = modules()
    for file in (ROOT / room).rglob("*.py"):
        for module in imports_of(file, known):
            assert module != "turngraph", f"{file.relative_to(ROOT)} imports `turngraph` itself"
            target = module.split(".")[1]
            below = target == room or FLOOR[target] < FLOOR[room]
            assert below, f"{file.relative_to(ROOT)} may not import {module}"


def test_no_ring_of_imports_has_more_than_two_files() -> None:
    """In a larger ring no file can be understood, or tested, without all the others."""
    known = modules()
    graph = {name: set(imports_of(file, known)) & known.keys() for name, file in known.items()}
    rings = [sorted(ring) for ring in strongly_connected(graph) if len(ring) > 2]
    assert rings == []


def strongly_connected(graph: dict[str, set[str]]) -> list[set[str]]:
    """The sets of modules that reach each other (Kosaraju's algorithm, without recursion)."""
    order: list[str] = []
    seen: set[str] = set()
    for start in graph:
        stack = [(start, iter(graph[start]))] if start not in seen else []
        seen.add(start)
        while stack:
            node, following = stack[-1]
            unseen = next((other for other in following if other not in seen), None)
            if unseen is None:
                order.append(node)
                stack.pop()
            else:
                seen.add(unseen)
                stack.append((unseen, iter(graph[unseen])))
    backwards: dict[str, set[str]] = {name: set() for name in graph}
    for name, targets in graph.items():
        for target in targets:
            backwards[target].add(name)
    found: list[set[str]] = []
    placed: set[str] = set()
    for start in reversed(order):
        ring, todo = set(), [start]
        while todo:
            node = todo.pop()
            if node not in placed:
                placed.add(node)
                ring.add(node)
                todo.extend(backwards[node])
        if ring:
            found.append(ring)
    return found


def test_rings_are_found() -> None:
    """The check above must be able to fail."""
    graph = {"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": set()}
    assert sorted(map(sorted, strongly_connected(graph))) == [["a", "b", "c"], ["d"]]


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_is_imported_by_its_full_name(room: str) -> None:
    """`import tools` from the repository root would load a module twice, under two names."""
    bare = re.compile(rf"^\s*(?:from|import) (?:{'|'.join(FLOOR)})\b", re.MULTILINE)
    for file in (ROOT / room).rglob("*.py"):
        assert not bare.search(file.read_text()), (
            f"{file.relative_to(ROOT)} leaves out `turngraph.`"
        )


def test_no_module_is_loaded_under_two_names() -> None:
    """The suite runs in the repository root, where `tools` would be importable beside
    `turngraph.tools`, and `turngraph/` has links to the rooms.
    """
    names: dict[Path, str] = {}
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        path = Path(file).resolve() if file else None
        if path and path.is_relative_to(ROOT) and path.relative_to(ROOT).parts[0] in FLOOR:
            first = names.setdefault(path, name)
            assert first == name, f"{path} is loaded as {first} and as {name}"


def test_every_folder_with_code_is_in_the_wheel() -> None:
    """Setuptools is told each folder by name; a forgotten one would silently be missing."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    listed = set(project["tool"]["setuptools"]["packages"])
    folders = {
        file.parent.relative_to(ROOT) for room in FLOOR for file in (ROOT / room).rglob("*.py")
    }
    present = {".".join(("turngraph", *folder.parts)) for folder in folders} | {"turngraph"}
    assert present == listed, f"[tool.setuptools] packages differs: {sorted(present ^ listed)}"


def test_a_turn_is_imported_without_what_it_may_not_need() -> None:
    """Databases, HTTP clients and price lists take a second or two each; they load when used."""
    heavy = [
        "sqlalchemy",
        "openai",
        "aiohttp",
        "genai_prices",
        "langchain_openai",
        "sqlglot",
        "rapidfuzz",
    ]
    code = (
        "import sys; from turngraph import chat_turn; "
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
