"""The stepper has two layers, the engine and the views; its files import each other one way."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.paths import ROOT

STEPPER = ROOT / "interfaces/stepper"
PACKAGE = "turngraph.interfaces.stepper"
FILES = {
    ".".join((PACKAGE, *file.relative_to(STEPPER).with_suffix("").parts)).removesuffix(
        ".__init__"
    ): file
    for file in STEPPER.rglob("*.py")
}
"""Every file of the stepper, by its module name."""


def imported_modules(file: Path) -> Iterator[str]:
    """Yields every module that `file` imports, also inside functions and for type checkers only."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{file.name}: relative imports are not followed here"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def reachable(start: str, arrows: dict[str, set[str]]) -> set[str]:
    """Returns the modules that `start` imports, directly or through others."""
    found: set[str] = set()
    waiting = [start]
    while waiting:
        new = arrows[waiting.pop()] - found
        found |= new
        waiting += new
    return found


def test_the_engine_imports_no_view() -> None:
    """A program can step through a turn, and replay one, without anything that draws."""
    for module, file in FILES.items():
        if module.startswith(f"{PACKAGE}.engine"):
            imported = [name for name in imported_modules(file) if name.startswith(PACKAGE)]
            above = [name for name in imported if not name.startswith(f"{PACKAGE}.engine")]
            assert above == [], f"{file.name} imports a view or the public stepper"


def test_a_view_imports_the_engine_and_not_the_public_stepper() -> None:
    """`TurnStepper` imports its views; if they imported it too, that would be a ring."""
    below = (f"{PACKAGE}.engine", f"{PACKAGE}.views")
    for module, file in FILES.items():
        if module.startswith(f"{PACKAGE}.views"):
            imported = [name for name in imported_modules(file) if name.startswith(PACKAGE)]
            assert all(name.startswith(below) for name in imported), file.name


def test_no_import_ring_has_more_than_two_files() -> None:
    """In a ring nothing can be read, tested or moved alone. Lazy and typing imports count."""
    arrows = {
        module: {name for name in imported_modules(file) if name in FILES and name != module}
        for module, file in FILES.items()
    }
    reached = {module: reachable(module, arrows) for module in FILES}
    for module in FILES:
        ring = {other for other in reached[module] if module in reached[other]}
        assert len(ring) <= 2, f"these files import each other: {sorted(ring)}"
