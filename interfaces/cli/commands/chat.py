"""`turngraph chat`: a conversation in the terminal, whose threads are stored in an SQLite file."""

import asyncio
import os
import re
import sqlite3
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter
from rich.console import Console

from turngraph.interfaces.cli.model_options import ModelOptions, SelectedModel, open_model
from turngraph.state.errors import TurnConfigurationError
from turngraph.state.private_files import create_private_file, create_private_folder
from turngraph.state.result import TurnResult

if TYPE_CHECKING:
    from langchain_core.messages import AnyMessage
    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

    from turngraph.graphs.turn_graph import TurnGraph
    from turngraph.interfaces.cli.output.live import LivePrinter

__all__ = ["chat", "history_file"]

HELP: Final = "/history shows the thread, /quit or ctrl-d ends the chat, ctrl-c cancels an answer."
QUIT_COMMANDS: Final = frozenset({"/quit", "/exit"})
_COMMAND: Final = re.compile(r"/[a-z]+(\s|$)")
"""A line that looks like a command. A path such as `/etc/hosts` is part of a question."""


def chat(
    *,
    options: ModelOptions = ModelOptions(),  # noqa: B008  frozen
    thread: Annotated[str, Parameter(name=("--thread", "-t"))] = "default",
    history: Path | None = None,
    stream: bool = True,
) -> int:
    """Talk with a model; the conversation is stored and can go on later.

    Parameters
    ----------
    thread
        The name of the conversation; the same name goes on with it.
    history
        The SQLite file that stores the threads. Default: $XDG_DATA_HOME/turngraph/threads.sqlite,
        or the same below ~/.local/share.
    stream
        Print answers as they arrive.
    """
    from turngraph.interfaces.cli.output.live import LivePrinter
    from turngraph.interfaces.cli.output.report import print_scripted_notice

    file = history or history_file(os.environ)
    out, err = Console(highlight=False), Console(stderr=True, highlight=False)
    with open_model(options, os.environ) as model:
        conversation = _Conversation(
            model, options, thread, file, stream, LivePrinter(out, err), err
        )
        messages = asyncio.run(conversation.messages())
        print_scripted_notice(model, err)
        err.print(f"Thread `{thread}`, {len(messages)} messages. {HELP}", style="dim", markup=False)
        successes = [conversation.handle(line) for line in _read_lines()]
    # A person has seen every error; only a script needs the exit code.
    return 0 if all(successes) or sys.stdin.isatty() else 1


def history_file(environ: Mapping[str, str]) -> Path:
    """Returns the default file for threads, below the user's data folder.

    Source: https://specifications.freedesktop.org/basedir-spec/latest/

    >>> history_file({"XDG_DATA_HOME": "/data"}).as_posix()
    '/data/turngraph/threads.sqlite'
    """
    data = environ.get("XDG_DATA_HOME")
    folder = Path(data) if data else Path.home() / ".local" / "share"
    return folder / "turngraph" / "threads.sqlite"


@dataclass(frozen=True)
class _Conversation:
    """One thread. Its file is closed between two questions, so nothing is lost at the prompt."""

    model: SelectedModel
    options: ModelOptions
    thread: str
    file: Path
    stream: bool
    printer: "LivePrinter"
    err: Console

    def handle(self, line: str) -> bool:
        """Answers a typed line, a question or a command. Returns whether that succeeded."""
        if line == "/help":
            self.err.print(HELP, style="dim", markup=False)
            return True
        if line == "/history":
            self._show(asyncio.run(self.messages()))
            return True
        # A misspelt command is not a question: sending it would cost money.
        if _COMMAND.match(line):
            command = line.split()[0]
            self.err.print(
                f"There is no command `{command}`, so nothing was sent. {HELP}", markup=False
            )
            return False
        result = asyncio.run(self._ask(line))
        self.printer.finish(result)
        return self._report(result)

    async def messages(self) -> "Sequence[AnyMessage]":
        """Returns the messages of the thread so far."""
        async with self._open_turn() as turn:
            state = await turn.aget_state({"configurable": {"thread_id": self.thread}})
        messages: Sequence[AnyMessage] = state.values.get("messages", ())
        return messages

    async def _ask(self, question: str) -> TurnResult:
        from turngraph.interfaces.cli.turn_runner import cancel_on_ctrl_c, run_turn

        async with self._open_turn() as turn:
            with cancel_on_ctrl_c() as cancel:
                return await run_turn(
                    turn, question, self.printer, thread=self.thread, cancel=cancel
                )

    @asynccontextmanager
    async def _open_turn(self) -> "AsyncIterator[TurnGraph]":
        from turngraph.interfaces.cli.turn_runner import open_turn

        async with (
            _open_saver(self.file) as saver,
            open_turn(self.model, self.options, stream=self.stream, checkpointer=saver) as turn,
        ):
            yield turn

    def _report(self, result: TurnResult) -> bool:
        from turngraph.interfaces.cli.output.report import explain_failure, summary

        if not result.ok:
            print(f"turngraph: {explain_failure(result, self.model)}", file=sys.stderr)
        self.err.print(summary(result, self.model.name), style="dim", markup=False)
        return result.ok

    def _show(self, messages: "Sequence[AnyMessage]") -> None:
        from turngraph.interfaces.plain_text import one_line

        for message in messages:
            calls = ", ".join(call["name"] for call in getattr(message, "tool_calls", ()))
            text = one_line(message.text, 300) or f"(calls {calls})"
            self.err.print(f"{message.type:>5}  {text}", markup=False)


@asynccontextmanager
async def _open_saver(file: Path) -> "AsyncIterator[AsyncSqliteSaver]":
    """Opens the threads in `file`. Raises TurnConfigurationError if that is not possible."""
    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

    try:
        create_private_folder(file.parent)
        create_private_file(file)
        async with AsyncSqliteSaver.from_conn_string(str(file)) as saver:
            await saver.setup()
            yield saver
    except (OSError, sqlite3.Error) as exc:
        raise TurnConfigurationError(
            f"The history `{file}` cannot be opened: {exc}. Name another file with --history."
        ) from exc


def _read_lines() -> Iterator[str]:
    """Yields the lines that are typed, until ctrl-d or /quit."""
    import readline  # noqa: F401  gives the prompt editing and its own history

    on_terminal = sys.stdin.isatty()
    while True:
        try:
            line = input("> " if on_terminal else "").strip()
        except EOFError:
            return
        except KeyboardInterrupt:
            # At the prompt, ctrl-c discards the line, as a shell does.
            print()
            continue
        if line in QUIT_COMMANDS:
            return
        if line:
            yield line
