"""Serves the scripted model to any OpenAI client, in any language, until it is interrupted."""

import argparse
import sys
import threading

from turngraph.scripted.server import ScriptedModel


def main() -> int:
    """Prints the base URL on standard output and serves until ctrl-c."""
    parser = argparse.ArgumentParser(prog="python -m turngraph.scripted", description=__doc__)
    parser.add_argument(
        "--port",
        type=int,
        default=0,
        help="port on 127.0.0.1; 0, the default, takes a free one",
    )
    options = parser.parse_args()
    with ScriptedModel(port=options.port) as model:
        try:
            sys.stderr.write(
                "This is the scripted model, not a language model. It accepts any API key. "
                "Press ctrl-c to stop it.\n"
            )
            sys.stdout.write(f"{model.base_url}\n")
            sys.stdout.flush()
            threading.Event().wait()
        except KeyboardInterrupt:
            return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
