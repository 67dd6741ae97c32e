"""The command line, `turngraph`.

A command's module is imported when the command runs, so that `turngraph --help` comes at once.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from io import TextIOWrapper
from typing import Final, NamedTuple

from cyclopts import App, CycloptsError, Parameter

__all__ = ["COMMANDS", "app", "main", "run_command"]

START_HERE: Final = """\
**Start here.** Without an API key, a scripted model on this machine answers:

    turngraph demo
    turngraph run "What is 17% of 2,340?"

**With a key** of one of the vendors that `turngraph vendors` lists:

    export OPENAI_API_KEY=...
    turngraph run "What is 17% of 2,340?" -m openai:gpt-5-mini -f calculator

`turngraph COMMAND --help` explains the options of a command and shows an example.
"""


class Command(NamedTuple):
    """How a command is listed, and what stands below its options in its own help."""

    summary: str
    epilogue: str = ""
    """Markdown: an example, and exit codes that mean more than success and failure."""


COMMANDS: Final[Mapping[str, Command]] = {
    "demo": Command(
        "Play three turns on the scripted model and show every stage.",
        "**Example:** `turngraph demo --only 2 --api responses`\n\n"
        "The scripted model is a small server on this machine that calls the tools it is offered. "
        "It is asked as OpenAI's gpt-4o-mini would be, so the charges are what that model would "
        "cost. Nothing is spent.",
    ),
    "run": Command(
        "Run one chat turn and print its answer.",
        '**Example:** `turngraph run "What is 2**64?" -m openai:gpt-5-mini -f calculator`\n\n'
        "**Exit codes:** 0 the model answered; 1 it did not answer, or not completely; 2 the "
        "command was typed wrongly; 130 ctrl-c.",
    ),
    "chat": Command(
        "Talk with a model; the conversation is stored and can go on later.",
        "**Example:** `turngraph chat --thread work -f calculator`, `turngraph chat agent.py:app`",
    ),
    "step": Command(
        "Step through one chat turn, or a graph of your own, stage by stage.",
        '**Example:** `turngraph step "What is 6 * 7?"`, `turngraph step agent.py:app "Hello!"`\n\n'
        "**Keys:** s or enter goes one step, i into one task, b back, f forks, ? lists all keys.",
    ),
    "studio": Command(
        "Open a page in the browser on which graphs are run, stepped through, edited and compared.",
        "**Example:** `turngraph studio agent.py:app`\n\n"
        "The address that is printed holds a secret: whoever has it may run the graphs.",
    ),
    "replay": Command(
        "Run a recorded turn again, offline, and show what differs.",
        "**Example:** `turngraph replay turn.jsonl --model gpt-5-nano`\n\n"
        '`turngraph step "..." --record turn.jsonl` records a turn.\n\n'
        "**Exit codes:** 0 nothing differs; 1 something differs.",
    ),
    "ledger": Command("Report spending, keep budgets, and verify the ledger."),
    "serve": Command(
        "Serve turns to any OpenAI client.", "**Example:** `turngraph serve turngraph.toml`"
    ),
    "keys": Command("Create, list, rotate, revoke and limit the API keys of a server."),
    "plugins": Command("Check plugin manifests, create one, and try a plugin."),
    "draw": Command(
        "Draw the graph of a turn as text, Mermaid or SVG.",
        "**Example:** `turngraph draw turn.svg`",
    ),
    "vendors": Command(
        "List the vendors whose models can be asked.", "**Example:** `turngraph vendors`"
    ),
    "completion": Command(
        "Print the script that completes commands and options in a shell.",
        "**Example:** `turngraph completion fish > ~/.config/fish/completions/turngraph.fish`\n\n"
        "For bash, add `source <(turngraph completion bash)` to `~/.bashrc`.",
    ),
}


def _shown_default(value: object) -> str | None:
    """Writes a default for the help; None, False and () tell a reader nothing and are left out."""
    if value is None or value is False or value == ():
        return None
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


app = App(
    name="turngraph",
    help="One chat turn as a LangGraph graph: every stage visible, typed, metered, resumable.",
    help_epilogue=START_HERE,
    version=lambda: version("turngraph"),
    default_parameter=Parameter(show_default=_shown_default),
    suppress_keyboard_interrupt=False,
)
for _name, _command in COMMANDS.items():
    # `ledger` and `plugins` are apps of their own, which bring their epilogues along.
    _options = {"help_epilogue": _command.epilogue} if _command.epilogue else {}
    app.command(
        f"turngraph.interfaces.cli.commands.{_name}:{_name}",
        name=_name,
        help=_command.summary,
        **_options,
    )


def main() -> None:
    """Runs the command that was typed, and exits with its exit code."""
    # LangGraph reads this when it is imported. Threads hold only the types of a turn's state, so no
    # other types need to be loaded from a checkpoint.
    os.environ.setdefault("LANGGRAPH_STRICT_MSGPACK", "true")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # A character that the terminal cannot show becomes a question mark, not an error.
            stream.reconfigure(errors="replace")
    sys.exit(run_command(sys.argv[1:]))


def run_command(tokens: Sequence[str]) -> int:
    """Runs the command and returns its exit code.

    Where the command was typed wrongly or cannot be carried out, prints one sentence on standard
    error and returns 2.
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
    except BrokenPipeError:
        # As in `turngraph vendors | head -1`: the reader has closed the pipe. 141 is the shell's
        # exit code for that, and the null device takes what Python still flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return code
