"""The files in `deploy/` start what there is, and take no secret along."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from turngraph.interfaces.server.config import ServerSettings
from turngraph.interfaces.server.uvicorn_server import graceful_s

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
DOCKERFILE = (DEPLOY / "Dockerfile").read_text("utf-8")
UNIT = (DEPLOY / "turngraph.service").read_text("utf-8")
COMMAND = Path(sys.executable).with_name("turngraph")


def of_dockerfile(instruction: str) -> list[str]:
    """The list that an instruction of the last stage has."""
    [given] = re.findall(rf"^{instruction} (\[.*\])$", DOCKERFILE, re.MULTILINE)
    return [str(each) for each in json.loads(given)]


def of_unit(name: str) -> str:
    [given] = re.findall(rf"^{name}=(.*)$", UNIT, re.MULTILINE)
    return str(given)


@pytest.mark.parametrize(
    "command",
    [
        [*of_dockerfile("ENTRYPOINT"), *of_dockerfile("CMD")],
        ["turngraph", "serve", Path(of_unit("ExecStart").split()[-1]).name],
    ],
    ids=["Dockerfile", "turngraph.service"],
)
def test_what_the_files_start_can_be_served(tmp_path: Path, command: list[str]) -> None:
    """With the database in the variable that the compose file sets."""
    (tmp_path / "turngraph.toml").write_text('[models.assistant]\nmodel = "scripted"\n')
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
    (variable,) = compose["services"]["server"]["environment"]
    done = subprocess.run(
        [COMMAND, *command[1:], "--check"],
        cwd=tmp_path,
        env={**os.environ, variable: "sqlite:///turns.db"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, "1 model can be served: assistant." in done.stdout) == (0, True), done


def test_the_image_is_built_with_extras_that_exist() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    [extras] = re.findall(r"'\.\[([a-z,]+)\]'", DOCKERFILE)
    assert {"server", "postgres"} <= {*extras.split(",")} <= {*project["optional-dependencies"]}


def test_no_file_with_keys_is_built_into_the_image() -> None:
    """All of the clone is sent to the builder, and `.env` is beside the compose file."""
    assert "**/.*" in (DEPLOY / "Dockerfile.dockerignore").read_text("utf-8").splitlines()
    assert "COPY . ." in DOCKERFILE


def test_streams_may_end_before_a_supervisor_loses_patience() -> None:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
    waits_s = graceful_s(ServerSettings().drain_seconds)
    assert int(of_unit("TimeoutStopSec")) > waits_s
    assert int(compose["services"]["server"]["stop_grace_period"].removesuffix("s")) > waits_s


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not there")
def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    file = tmp_path / "turngraph.service"
    file.write_text(UNIT.replace("/opt/turngraph/bin/turngraph", str(COMMAND)))
    done = subprocess.run(
        ["systemd-analyze", "verify", file], capture_output=True, text=True, check=False
    )
    assert (done.returncode, "turngraph.service" in done.stderr) == (0, False), done.stderr
