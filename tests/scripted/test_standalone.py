"""The scripted model as a program of its own, and its front door."""

import json
import signal
import subprocess
import sys
from urllib.request import urlopen

import turngraph.scripted as door


def test_it_serves_until_it_is_interrupted() -> None:
    """For any OpenAI client, in any language; scripts read the base URL from the first line."""
    command = [sys.executable, "-m", "turngraph.scripted", "--port", "0"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        base_url = process.stdout.readline().strip()
        with urlopen(f"{base_url}/models") as answer:
            assert json.load(answer)["data"][0]["id"] == "scripted"
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 0
    assert said.startswith("A scripted model, not a language model.")


def test_every_name_at_the_door_is_there() -> None:
    """Names are looked up when they are asked for, so a wrong one would be found by a user."""
    assert dir(door) == door.__all__ == sorted(door.__all__)
    assert all(getattr(door, name).__doc__ for name in door.__all__)


def test_importing_it_loads_no_web_server() -> None:
    """aiohttp is loaded when a server starts, not when a room is imported."""
    code = "import sys, turngraph.scripted.server; print({'aiohttp', 'openai', 'jsonschema'} & set(sys.modules))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "set()"
