"""Whether a wheel is whole and works with its own dependencies: python -m tests.wheel dist/*.whl

Run by `make wheel-test` before anything else is installed.
"""

import importlib
import sys
import tomllib
import zipfile
from pathlib import Path

from tests.paths import ROOT

WITH_EXTRA = (
    "turngraph.interfaces.server",  # FastAPI's routes
    "turngraph.interfaces.studio",  # Starlette's routes
    "turngraph.interfaces.terminal",  # Textual's widgets
)
"""Modules and packages that subclass what a package of an extra defines, so they load only with
that extra.
"""

SHIPPED = frozenset(
    (".py", ".pyi", ".yaml", ".json", ".js", ".tcss", ".html", ".css", ".svg", ".typed")
)
"""Suffixes of the files that a wheel holds."""


def check_contents(wheel: Path) -> int:
    """Checks that all files are under `turngraph/` and none is missing. Returns their number."""
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    strangers = sorted(name for name in names if not name.startswith("turngraph/"))
    assert not strangers, f"outside turngraph/: {strangers}"
    missing = sorted(_wanted() - names)
    assert not missing, f"not in the wheel: {missing}"
    return len(names)


def check_imports(wheel: Path) -> int:
    """Imports every module from the wheel, not from the repository. Returns their number.

    What an extra brings is imported where it is used, except in the modules of `WITH_EXTRA`.
    """
    files = [Path(name) for name in zipfile.ZipFile(wheel).namelist() if name.endswith(".py")]
    names = [".".join(file.with_suffix("").parts).removesuffix(".__init__") for file in files]
    needs_extra = tuple(f"{name}." for name in WITH_EXTRA)
    modules = sorted(
        name
        for name in names
        if not name.endswith("__main__") and not f"{name}.".startswith(needs_extra)
    )
    for name in modules:
        file = importlib.import_module(name).__file__
        assert file is not None
        assert "site-packages" in file, f"{name} comes from {file}"
    return len(modules)


def _wanted() -> set[str]:
    """The paths in the wheel of all code and data of the folders that pyproject.toml lists."""
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"][
        "packages"
    ]
    # `turngraph/` is not in the tree that `make wheel-test` runs in, so that only the wheel can
    # be imported there.
    folders = [ROOT.joinpath(*name.split(".")[1:]) for name in packages if name != "turngraph"]
    files = (file for folder in folders for file in folder.iterdir() if file.suffix in SHIPPED)
    rooms = {f"turngraph/{file.relative_to(ROOT).as_posix()}" for file in files}
    return rooms | {
        f"turngraph/{name}" for name in ("__init__.py", "__init__.pyi", "__main__.py", "py.typed")
    }


if __name__ == "__main__":
    path = Path(sys.argv[1])
    print(f"{check_contents(path)} files, all under turngraph/")
    print(f"{check_imports(path)} modules imported from the wheel")
