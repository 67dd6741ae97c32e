"""Serves a turn on the scripted model and lets other clients ask it: `make server-clients`.

python -m tests.interfaces.server.clients COMMAND … runs each command, with the server's URL behind.
"""

import subprocess
import sys

from tests.interfaces.server.serving import Vendor, config_of, model_config, serving


def main(commands: list[str]) -> int:
    """Runs the commands one after the other. Returns 1 if one of them has failed."""
    with Vendor() as vendor:
        models = {
            "assistant": model_config(vendor, functions=("calculator",)),
            "gpt-5-mini": model_config(vendor),
        }
        with serving(config_of(models)) as url:
            done = [subprocess.run([*each.split(), url], check=False) for each in commands]
    return int(any(each.returncode for each in done))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
