"""`turngraph chat`: a conversation in the terminal, every thread of it kept in one SQLite file."""

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

from turngraph.interfaces.cli.model_options import Model, ModelOptions, chosen_model
from turngraph.state.errors import TurnConfigurationError
from turngraph.state.result import TurnResult

if TYPE_CHECKING:
    from langchain_core.messages import AnyMessage
    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

    from turngraph.interfaces.cli.output.live import LivePrinter

__all__ = ["chat", "history_file"]

HELP: Final = "/history shows the thread, /quit or ctrl-d leaves, ctrl-c gives up an answer."
QUIT: Final = frozenset({"/quit", "/exit"})
_COMMAND: Final = re.compile(r"/[a-z]+(\s|$)")
"""What looks like a command; a path, `/etc/hosts`, is part of a question."""


def chat(
    *,
    options: ModelOptions = ModelOptions(),  # noqa: B008  frozen
    thread: Annotated[str, Parameter(name=("--thread", "-t"))] = "default",
    history: Path | None = None,
    stream: bool = True,
) -> int:
    """Talk with a model. The conversation goes on where its thread was left.

    Parameters
    ----------
    thread
        The name of the conversation.
    history
        The SQLite file that keeps the threads; by default one in your data folder ($XDG_DATA_HOME).
    stream
        Print answers as they arrive.
    """
    from turngraph.interfaces.cli.output.live import LivePrinter
    from turngraph.interfaces.cli.output.report import say_who_answers

    file = history or history_file(os.environ)
    out, err = Console(highlight=False), Console(stderr=True, highlight=False)
    with chosen_model(options, os.environ) as model:
        talk = _Talk(model, options, thread, file, stream, LivePrinter(out, err), err)
        messages = asyncio.run(talk.messages())
        say_who_answers(model, err)
        err.print(f"Thread `{thread}`, {len(messages)} messages. {HELP}", style="dim", markup=False)
        answered = [talk.say(line) for line in _lines()]
    return 0 if all(answered) or sys.stdin.isatty() else 1


def history_file(environ: Mapping[str, str]) -> Path:
    """Where threads are kept unless told otherwise
    (https://specifications.freedesktop.org/basedir-spec/latest/).

    >>> history_file({"XDG_DATA_HOME": "/data"}).as_posix()
    '/data/turngraph/threads.sqlite'
    """
    data = environ.get("XDG_DATA_HOME")
    return (
        (Path(data) if data else Path.home() / ".local" / "share") / "turngraph" / "threads.sqlite"
    )


@dataclass(frozen=True)
class _Talk:
    """One conversation. Nothing stays open between two questions, so nothing is lost at the prompt."""

    model: Model
    options: ModelOptions
    thread: str
    file: Path
    stream: bool
    printer: "LivePrinter"
    err: Console

    def say(self, line: str) -> bool:
        """Answer what was typed; whether it went well."""
        if line == "/help":
            self.err.print(HELP, style="dim", markup=False)
            return True
        if line == "/history":
            self._show(asyncio.run(self.messages()))
            return True
        if _COMMAND.match(line):
            self.err.print(
                f"There is no command `{line.split()[0]}`, and nothing was sent. {HELP}",
                markup=False,
            )
            return False
        result = asyncio.run(self._ask(line))
        self.printer.finish(result)
        return self._told(result)

    async def messages(self) -> "Sequence[AnyMessage]":
        """The thread so far."""
        from turngraph.interfaces.cli.asking import opened_turn

        async with (
            _saver(self.file) as saver,
            opened_turn(self.model, self.options, stream=self.stream, checkpointer=saver) as turn,
        ):
            state = await turn.aget_state({"configurable": {"thread_id": self.thread}})
        messages: Sequence[AnyMessage] = state.values.get("messages", ())
        return messages

    async def _ask(self, question: str) -> TurnResult:
        from turngraph.interfaces.cli.asking import ask, cancelled_by_ctrl_c, opened_turn

        async with (
            _saver(self.file) as saver,
            opened_turn(self.model, self.options, stream=self.stream, checkpointer=saver) as turn,
        ):
            with cancelled_by_ctrl_c() as cancel:
                return await ask(turn, question, self.printer, thread=self.thread, cancel=cancel)

    def _told(self, result: TurnResult) -> bool:
        from turngraph.interfaces.cli.output.report import summary, why_no_answer

        if not result.ok:
            print(f"turngraph: {why_no_answer(result, self.model)}", file=sys.stderr)
        self.err.print(summary(result, self.model.name), style="dim", markup=False)
        return result.ok

    def _show(self, messages: "Sequence[AnyMessage]") -> None:
        from turngraph.interfaces.plain_text import one_line

        for message in messages:
            calls = ", ".join(call["name"] for call in getattr(message, "tool_calls", ()))
            said = one_line(message.text, 300) or f"(calls {calls})"
            self.err.print(f"{message.type:>5}  {said}", markup=False)


@asynccontextmanager
async def _saver(file: Path) -> "AsyncIterator[AsyncSqliteSaver]":
    """The threads in `file`. Raises TurnConfigurationError where it cannot be opened."""
    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        async with AsyncSqliteSaver.from_conn_string(str(file)) as saver:
            await saver.setup()
            yield saver
    except (OSError, sqlite3.Error) as exc:
        raise TurnConfigurationError(
            f"The history `{file}` cannot be opened: {exc}. Give another --history."
        ) from exc


def _lines() -> Iterator[str]:
    """What is typed, line by line, until ctrl-d or /quit."""
    import readline  # noqa: F401  gives the prompt editing and its own history

    typing = sys.stdin.isatty()
    while True:
        try:
            line = input("> " if typing else "").strip()
        except EOFError:
            return
        except KeyboardInterrupt:
            print()
            continue
        if line in QUIT:
            return
        if line:
            yield line
