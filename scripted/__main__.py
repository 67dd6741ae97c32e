"""`python -m turngraph.scripted`: the scripted model for any OpenAI client, until it is
interrupted.
"""

import argparse
import sys
import threading

from turngraph.scripted.server import ScriptedModel


def main() -> int:
    """Serve on `--port` (a free one by default), after printing the base URL."""
    parser = argparse.ArgumentParser(prog="python -m turngraph.scripted", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 takes a free one")
    asked = parser.parse_args()
    with ScriptedModel(port=asked.port) as model:
        try:
            sys.stderr.write(
                "A scripted model, not a language model. It takes any key. Ctrl-C ends it.\n"
            )
            sys.stdout.write(f"{model.base_url}\n")
            sys.stdout.flush()
            threading.Event().wait()
        except KeyboardInterrupt:
            return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
