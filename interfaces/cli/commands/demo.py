"""`turngraph demo`: three turns on the scripted model, every stage shown. No key, no network,
nothing is spent.
"""

import asyncio
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple

from cyclopts import Parameter
from rich.console import Console
from rich.rule import Rule

from turngraph.graphs.chat import chat_turn
from turngraph.interfaces.cli.output.stage_printer import StagePrinter
from turngraph.providers.config import ProviderConfig
from turngraph.providers.openai_provider import OpenAIProvider
from turngraph.scripted import ScriptedModel
from turngraph.state.errors import TurnConfigurationError
from turngraph.state.request import Api

__all__ = ["TURNS", "demo"]


PAPER_WIDTH: Final = 116


class _Turn(NamedTuple):
    title: str
    question: str
    functions: tuple[str, ...]
    stream: bool


TURNS: Final = (
    _Turn("a plain answer, streamed", "Who are you?", (), stream=True),
    _Turn("one tool call", "What is 17% of 2,340?", ("calculator",), stream=False),
    _Turn(
        "several tool calls in parallel",
        "What is 2**64, and 355/113? And how many days are there from 2026-01-01 to 2026-12-24?",
        ("calculator", "date_calculator"),
        stream=False,
    ),
)


def demo(
    *,
    only: Annotated[Literal[1, 2, 3] | None, Parameter(help="Play this turn alone.")] = None,
    api: Annotated[Api | None, Parameter(help="The API to speak.")] = None,
    full: Annotated[
        bool, Parameter(negative="", help="Show again what a request repeats of the one before.")
    ] = False,
    svg: Annotated[Path | None, Parameter(help="Write what is shown as a picture, too.")] = None,
) -> None:
    """Play three turns on the scripted model and show every stage of them.

    The model is a small server on this machine, not a language model: it calls the tools it is
    offered. It is asked as OpenAI's gpt-4o-mini would be, so that the charges show what such a turn
    costs. Nothing is spent.
    """
    console = Console(record=svg is not None, highlight=False)
    if svg is not None or not console.is_terminal:
        console.width = PAPER_WIDTH
    console.print(
        "The scripted model answers: a server on this machine, not a language model. Nothing is spent; "
        "the charges are what OpenAI's gpt-4o-mini would cost."
    )
    chosen = TURNS if only is None else TURNS[only - 1 : only]
    for turn in chosen:
        console.print()
        console.print(
            Rule(f"[bold]Turn {TURNS.index(turn) + 1}[/]  {turn.title}", align="left", style="cyan")
        )
        asyncio.run(_play(turn, api, console, full=full))
    if svg is not None:
        _save(console, svg)


async def _play(turn: _Turn, api: Api | None, console: Console, *, full: bool) -> None:
    async with ScriptedModel(name="demo") as model:
        provider = OpenAIProvider(
            ProviderConfig(
                vendor="openai",
                model="gpt-4o-mini",
                base_url=model.base_url,
                api_key="demo",
                api=api,
            )
        )
        graph = chat_turn(provider, functions=turn.functions, stream=turn.stream)
        printer = StagePrinter(console, sent=lambda: model.requests[-1].content, full=full)
        console.print(f"user: {turn.question}\n", markup=False)
        state: Mapping[str, Any] = {}
        given = {"messages": [("user", turn.question)]}
        async for mode, part in graph.astream(given, stream_mode=["tasks", "custom", "values"]):
            if mode == "values":
                state = part
            elif mode == "custom":
                printer(part)
            else:
                (printer.begun if "input" in part else printer.ended)(part)
        printer.finish(state["result"])
        await provider.aclose()


def _save(console: Console, file: Path) -> None:
    # Rich would have the reader's browser fetch a font from a web service.
    drawn = re.sub(
        r"@font-face \{.*?\}\s*",
        "",
        console.export_svg(title="turngraph demo", unique_id="demo"),
        flags=re.DOTALL,
    )
    try:
        file.write_text(
            drawn.replace("Fira Code", "ui-monospace, SFMono-Regular, Menlo, Consolas"), "utf-8"
        )
    except OSError as exc:
        raise TurnConfigurationError(f"`{file}` cannot be written: {exc.strerror}.") from exc
