"""What the scenes with killed processes serve: a model that repeats what was said."""

import socket
from pathlib import Path
from typing import Final

from turngraph.scripted import Call, Say
from turngraph.scripted.prompt import Answer, Prompt

VENDOR_KEY: Final = "sk-planted-vendor-key-0815"
"""The key of the vendor, which the server reads from the variable `VENDOR_KEY`."""
LEASE_S: Final = 2.0


def answer(prompt: Prompt) -> Answer:
    """Repeats what was said last; asks for the tool that is offered before that."""
    said = prompt.messages[-1]
    if prompt.tools and said.role != "tool":
        return Call(("lookup", {"said": said.text}))
    return Say(f"You said {said.text}")


def write_config(folder: Path, database: str, vendor: str) -> Path:
    """Writes the configuration of a server: a database, and the model `echo` of a vendor."""
    file = folder / "turngraph.toml"
    file.write_text(_CONFIG.format(database=database, lease=LEASE_S, vendor=vendor))
    return file


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


_CONFIG: Final = """
[server]
sweep_seconds = 1

[store]
database = "{database}"
lease_seconds = {lease}

[models.echo]
model = "custom:scripted-x"
key_env = "VENDOR_KEY"

[models.echo.provider]
base_url = "{vendor}"
proxy = ""
max_tokens = 1000

[models.echo.prices."custom:scripted-x"]
input = 1
output = 1
"""
