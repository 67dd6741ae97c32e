"""The command line, `turngraph`. What a command needs is imported when it runs, so that `--help`
comes at once.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from io import TextIOWrapper
from typing import Final

from cyclopts import App, CycloptsError

__all__ = ["COMMANDS", "app", "main", "outcome"]

app = App(
    name="turngraph",
    help="One chat turn as a LangGraph graph: every stage visible, typed, metered, resumable.",
    version=lambda: version("turngraph"),
    suppress_keyboard_interrupt=False,
)
COMMANDS: Final[Mapping[str, str]] = {
    "demo": "Three turns on the scripted model, every stage shown.",
    "run": "Run one chat turn and print its answer.",
    "chat": "Talk with a model; every thread is remembered.",
    "plugins": "Check manifests, print a schema, begin one, try one.",
    "draw": "Draw the graph of a turn: text, Mermaid or SVG.",
    "vendors": "List the vendors a model can be asked from.",
    "step": "Walk one turn, stage by stage.",
    "ledger": "What was spent, whether it adds up, budgets.",
    "replay": "Run a recorded turn again, and show what differs.",
}
for _name, _help in COMMANDS.items():
    app.command(f"turngraph.interfaces.cli.commands.{_name}:{_name}", name=_name, help=_help)


def main() -> None:
    """Run the command that was typed, and exit with its code."""
    # Read when LangGraph is imported: threads hold nothing but the types of a turn's state, and no
    # others are loaded.
    os.environ.setdefault("LANGGRAPH_STRICT_MSGPACK", "true")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(
                errors="replace"
            )  # a terminal that has no letter for it shows a question mark
    sys.exit(outcome(sys.argv[1:]))


def outcome(tokens: Sequence[str]) -> int:
    """The exit code of a command: its own, or 2 with one sentence on stderr where it was typed or
    wired wrongly.
    """
    from turngraph.state.errors import TurngraphError

    try:
        code: int = app(
            tokens,
            exit_on_error=False,
            print_error=False,
            result_action="return_int_as_exit_code_else_zero",
        )
        sys.stdout.flush()
    except (CycloptsError, TurngraphError) as exc:
        print(f"turngraph: {' '.join(str(exc).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # `turngraph vendors | head -1`: the reader has what it wanted
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return code
