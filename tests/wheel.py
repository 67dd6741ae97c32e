"""What a wheel holds, and whether it works in an environment that has nothing but what it asks for.

    python -m tests.wheel dist/turngraph-….whl

Run by `make wheel-test` before anything else is installed.
"""

import importlib
import sys
import tomllib
import zipfile
from pathlib import Path

from tests.paths import ROOT

FOR_OTHERS = {
    "turngraph.billing.langchain.middleware",  # for langchain's agents
}
"""Modules that subclass what another package defines: of use, and loadable, only where that is
installed.
"""


def check_contents(wheel: Path) -> int:
    """Everything is under `turngraph/`, and nothing of the rooms is missing. Returns the number of
    files.
    """
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    strangers = sorted(name for name in names if not name.startswith("turngraph/"))
    assert not strangers, f"outside turngraph/: {strangers}"
    missing = sorted(_wanted() - names)
    assert not missing, f"not in the wheel: {missing}"
    return len(names)


def check_imports(wheel: Path) -> int:
    """Every module can be imported, from the wheel and not from the repository. Returns how many
    there are.

    What an extra brings is imported where it is used, but for the modules of `FOR_OTHERS`.
    """
    files = [Path(name) for name in zipfile.ZipFile(wheel).namelist() if name.endswith(".py")]
    names = [".".join(file.with_suffix("").parts).removesuffix(".__init__") for file in files]
    modules = sorted(
        name for name in names if not name.endswith("__main__") and name not in FOR_OTHERS
    )
    for name in modules:
        file = importlib.import_module(name).__file__
        assert file is not None
        assert "site-packages" in file, f"{name} comes from {file}"
    return len(modules)


def _wanted() -> set[str]:
    """The code and data of every folder that pyproject.toml lists."""
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"][
        "packages"
    ]
    folders = [ROOT.joinpath(*name.split(".")[1:]) for name in packages]
    files = (
        file
        for folder in folders
        for file in folder.iterdir()
        if file.suffix in {".py", ".yaml", ".typed"}
    )
    return {f"turngraph/{file.relative_to(ROOT).as_posix()}" for file in files}


if __name__ == "__main__":
    path = Path(sys.argv[1])
    print(
        f"{check_contents(path)} files, all under turngraph/; {check_imports(path)} modules imported from the wheel"
    )
