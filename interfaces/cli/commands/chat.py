"""`turngraph chat`: a conversation in the terminal, whose threads are stored in an SQLite file."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Protocol

from cyclopts import Parameter
from rich.console import Console

from turngraph.interfaces.cli.graph_argument import graph_context, open_graph
from turngraph.interfaces.cli.model_options import ModelOptions
from turngraph.interfaces.cli.threads import history_file, open_async_history
from turngraph.interfaces.cli.turn_options import TurnOptions, TurnSetup, open_setup
from turngraph.interfaces.plain_text import one_line
from turngraph.state.errors import TurnConfigurationError
from turngraph.state.result import TurnResult

if TYPE_CHECKING:
    from langchain_core.messages import AnyMessage

    from turngraph.graphs.turn_graph import TurnGraph
    from turngraph.interfaces.cli.output.live import LivePrinter

__all__ = ["chat"]

HELP: Final = "/history shows the thread, /quit or ctrl-d ends the chat, ctrl-c cancels an answer."
QUIT_COMMANDS: Final = frozenset({"/quit", "/exit"})
_COMMAND: Final = re.compile(r"/[a-z]+(\s|$)")
"""A line that looks like a command. A path such as `/etc/hosts` is part of a question."""


def chat(
    graph: str | None = None,
    /,
    *,
    options: ModelOptions = ModelOptions(),  # noqa: B008  frozen
    turn: TurnOptions = TurnOptions(),  # noqa: B008  frozen
    context: str | None = None,
    thread: Annotated[str | None, Parameter(name=("--thread", "-t"))] = None,
    history: Path | None = None,
    stream: bool = True,
) -> int:
    """Talk with a model; the conversation is stored and can go on later.

    Parameters
    ----------
    graph
        A graph of your own with messages in its state, as in agent.py:app, or a name from
        langgraph.json. Its answers are printed when they are complete.
    context
        What the graph's nodes read from `runtime.context`, as JSON.
    thread
        The name of the conversation; the same name goes on with it. Default: `default`, for a
        graph of your own its name.
    history
        The SQLite file that stores the threads. Default: $XDG_DATA_HOME/turngraph/threads.sqlite,
        or the same below ~/.local/share.
    stream
        Print answers as they arrive.
    """
    file = history or history_file(os.environ)
    err = Console(stderr=True, highlight=False)
    if graph is not None:
        from turngraph.interfaces.cli.graph_conversation import GraphConversation

        loaded = open_graph(graph, options, turn)
        in_context = graph_context(loaded.graph, context)
        own = GraphConversation(loaded, in_context, thread or graph, file, err)
        return _talk(own, asyncio.run(own.messages()), err)
    if context is not None:
        raise TurnConfigurationError("--context is for a graph of your own, as in agent.py:app.")
    from turngraph.interfaces.cli.output.live import LivePrinter
    from turngraph.interfaces.cli.output.report import print_scripted_notice

    with open_setup(turn, options, os.environ) as setup:
        out = Console(highlight=False)
        conversation = _Conversation(
            setup, thread or "default", file, stream, LivePrinter(out, err), err
        )
        messages = asyncio.run(conversation.messages())
        print_scripted_notice(setup.model, err)
        return _talk(conversation, messages, err)


class Talks(Protocol):
    """A conversation: a turn's, or that of a graph of the user's own."""

    @property
    def thread(self) -> str:
        """The name of the thread."""

    def handle(self, question: str) -> bool:
        """Answers a question. Returns whether that succeeded."""

    async def messages(self) -> "Sequence[AnyMessage]":
        """Returns the messages so far."""


def _talk(conversation: Talks, messages: "Sequence[AnyMessage]", err: Console) -> int:
    """Reads lines, questions and commands, to the end. Returns the exit code."""
    err.print(
        f"Thread `{conversation.thread}`, {len(messages)} messages. {HELP}",
        style="dim",
        markup=False,
    )
    successes = [_handle(conversation, line, err) for line in _read_lines()]
    # A person has seen every error; only a script needs the exit code.
    return 0 if all(successes) or sys.stdin.isatty() else 1


def _handle(conversation: Talks, line: str, err: Console) -> bool:
    if line == "/help":
        err.print(HELP, style="dim", markup=False)
        return True
    if line == "/history":
        _show(asyncio.run(conversation.messages()), err)
        return True
    # A misspelt command is not a question: sending it would cost money.
    if _COMMAND.match(line):
        command = line.split()[0]
        err.print(f"There is no command `{command}`, so nothing was sent. {HELP}", markup=False)
        return False
    return conversation.handle(line)


@dataclass(frozen=True)
class _Conversation:
    """One thread. Its file is closed between two questions, so nothing is lost at the prompt."""

    setup: TurnSetup
    thread: str
    file: Path
    stream: bool
    printer: "LivePrinter"
    err: Console

    def handle(self, question: str) -> bool:
        """Answers a question. Returns whether that succeeded."""
        from turngraph.interfaces.cli.output.report import explain_failure, summary

        result = asyncio.run(self._ask(question))
        self.printer.finish(result)
        if not result.ok:
            print(f"turngraph: {explain_failure(result, self.setup.model)}", file=sys.stderr)
        self.err.print(summary(result, self.setup.model.name), style="dim", markup=False)
        return result.ok

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
            open_async_history(self.file) as saver,
            open_turn(self.setup, stream=self.stream, checkpointer=saver) as turn,
        ):
            yield turn


def _show(messages: "Sequence[AnyMessage]", err: Console) -> None:
    for message in messages:
        calls = ", ".join(call["name"] for call in getattr(message, "tool_calls", ()))
        text = one_line(message.text, 300) or f"(calls {calls})"
        err.print(f"{message.type:>5}  {text}", markup=False)


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
