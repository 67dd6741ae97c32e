"""What a wheel holds, and whether it works in an environment that has nothing but what it asks for.

    python -m tests.wheel dist/turngraph-….whl

Run by `make wheel-test` before anything else is installed.
"""

import importlib
import sys
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent


def check_contents(wheel: Path) -> int:
    """Everything is under `turngraph/`, and nothing of the rooms is missing. Returns the number of files."""
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    strangers = sorted(name for name in names if not name.startswith("turngraph/"))
    assert not strangers, f"outside turngraph/: {strangers}"
    missing = sorted(_wanted() - names)
    assert not missing, f"not in the wheel: {missing}"
    return len(names)


def check_installed() -> None:
    """The command and the graph come from the wheel, not from the repository this is run in."""
    for room in ("graphs.chat", "interfaces.cli", "providers.profiles"):
        file = importlib.import_module(f"turngraph.{room}").__file__
        assert file is not None
        assert "site-packages" in file, f"turngraph.{room} comes from {file}"


def _wanted() -> set[str]:
    """The code and data of every folder that pyproject.toml lists."""
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]["packages"]
    folders = [ROOT.joinpath(*name.split(".")[1:]) for name in packages]
    files = (file for folder in folders for file in folder.iterdir() if file.suffix in {".py", ".yaml", ".typed"})
    return {f"turngraph/{file.relative_to(ROOT).as_posix()}" for file in files}


if __name__ == "__main__":
    print(f"{check_contents(Path(sys.argv[1]))} files, all under turngraph/")
    check_installed()
    print("turngraph is imported from the wheel")
