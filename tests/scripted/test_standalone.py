"""The scripted model as a program of its own, and the public names of its package."""

import json
import signal
import subprocess
import sys
from urllib.request import urlopen

import turngraph.scripted as package


def test_it_serves_until_it_is_interrupted() -> None:
    """For any OpenAI client, in any language; scripts read the base URL from the first line."""
    command = [sys.executable, "-m", "turngraph.scripted", "--port", "0"]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A job in the background has it ignored, and hands that down.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        assert process.stdout is not None
        base_url = process.stdout.readline().strip()
        with urlopen(f"{base_url}/models") as answer:
            assert json.load(answer)["data"][0]["id"] == "scripted"
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 0
    assert said.startswith("This is the scripted model, not a language model.")


def test_every_public_name_exists() -> None:
    """Names are imported when they are used, so a user would be the first to meet a wrong one."""
    assert dir(package) == package.__all__ == sorted(package.__all__)
    assert all(getattr(package, name).__doc__ for name in package.__all__)


def test_importing_it_loads_no_web_server() -> None:
    """aiohttp is imported when a server starts, not when the package is."""
    code = (
        "import sys, turngraph.scripted.server; "
        "print({'aiohttp', 'openai', 'jsonschema'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
