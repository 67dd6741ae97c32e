"""A user's typed program is understood by mypy and by pyright, without being configured.

Both run in an empty folder, as for a script anywhere on a user's machine, and are told nothing but
which Python has turngraph installed: the clone as `make install` leaves it, or the wheel in
`make wheel-test`.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

USER_CODE = Path(__file__).with_name("user_code.py")


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """A copy of the program, in a folder with nothing else."""
    return Path(shutil.copy(USER_CODE, tmp_path / "script.py"))


@pytest.mark.long
def test_mypy_understands_it(script: Path) -> None:
    """mypy finds the types of the installed package by its `py.typed`."""
    command = [sys.executable, "-m", "mypy", "--strict", "--no-incremental", script.name]
    run = subprocess.run(command, cwd=script.parent, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.long
def test_pyright_understands_it(script: Path) -> None:
    """Pyright's engine is what VS Code's editor asks; it runs no import hook."""
    # "strict" would report LangGraph's own partly unknown types; "standard" is VS Code's.
    (script.parent / "pyrightconfig.json").write_text('{"typeCheckingMode": "standard"}')
    command = [sys.executable, "-m", "basedpyright", "--outputjson", script.name]
    command += ["--pythonpath", sys.executable]
    run = subprocess.run(command, cwd=script.parent, capture_output=True, text=True, check=False)
    found = json.loads(run.stdout)["generalDiagnostics"]
    wrong = [
        f"{each['range']['start']['line'] + 1}: {each['message']}"
        for each in found
        if each["severity"] == "error"
    ]
    assert wrong == []
