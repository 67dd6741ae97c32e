"""`turngraph demo`: three turns on the scripted model, every stage shown.

No key and no network is needed, and nothing is spent.
"""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple

from cyclopts import Parameter
from rich.console import Console
from rich.rule import Rule

from turngraph.graphs.chat import chat_turn
from turngraph.interfaces.cli.output.files import PAPER_WIDTH, offline_svg, write_text
from turngraph.interfaces.cli.output.stage_printer import StagePrinter
from turngraph.providers.config import ProviderConfig
from turngraph.providers.openai_provider import OpenAIProvider
from turngraph.scripted import ScriptedModel
from turngraph.state.request import Api

__all__ = ["TURNS", "demo"]


class DemoTurn(NamedTuple):
    """A turn that the demo plays."""

    title: str
    question: str
    functions: tuple[str, ...]
    stream: bool


TURNS: Final = (
    DemoTurn("a plain answer, streamed", "Who are you?", (), stream=True),
    DemoTurn("one tool call", "What is 17% of 2,340?", ("calculator",), stream=False),
    DemoTurn(
        "several tool calls in parallel",
        "What is 2**64, and 355/113? And how many days are there from 2026-01-01 to 2026-12-24?",
        ("calculator", "date_calculator"),
        stream=False,
    ),
)
_NOTICE: Final = (
    "The scripted model answers: a server on this machine, not a language model. Nothing is spent; "
    "the charges are what OpenAI's gpt-4o-mini would cost."
)
_NEXT: Final = (
    'Next: `turngraph run "your question"` asks one question, `turngraph step "your question"` '
    "stops at every stage, and `turngraph vendors` lists the vendors that can be asked."
)


def demo(
    *,
    only: Annotated[
        Literal[1, 2, 3] | None, Parameter(help="Play only this turn. Default: all three.")
    ] = None,
    api: Annotated[
        Api | None,
        Parameter(help="The API to use. Default: what suits OpenAI's gpt-4o-mini."),
    ] = None,
    full: Annotated[
        bool,
        Parameter(negative="", help="Show every line of a request, also those sent before."),
    ] = False,
    svg: Annotated[
        Path | None, Parameter(help="Also write what is shown to this file, as an SVG picture.")
    ] = None,
) -> None:
    """Play three turns on the scripted model and show every stage."""
    console = Console(record=svg is not None, highlight=False)
    if svg is not None or not console.is_terminal:
        console.width = PAPER_WIDTH
    console.print(_NOTICE)
    for number, turn in enumerate(TURNS, 1):
        if only in (None, number):
            console.print()
            title = f"[bold]Turn {number}[/]  {turn.title}"
            console.print(Rule(title, align="left", style="cyan"))
            asyncio.run(_play(turn, api, console, full=full))
    if svg is None:
        console.print()
        console.print(_NEXT, style="dim", markup=False)
    else:
        write_text(svg, _as_svg(console))


async def _play(turn: DemoTurn, api: Api | None, console: Console, *, full: bool) -> None:
    async with ScriptedModel(name="demo") as model:
        # The scripted model is called OpenAI's gpt-4o-mini here, so that its tokens have a price.
        config = ProviderConfig(
            vendor="openai",
            model="gpt-4o-mini",
            base_url=model.base_url,
            api_key="demo",
            api=api,
            proxy="",
        )
        provider = OpenAIProvider(config)
        graph = chat_turn(provider, functions=turn.functions, stream=turn.stream)
        printer = StagePrinter(console, last_request=lambda: model.requests[-1].content, full=full)
        console.print(f"user: {turn.question}\n", markup=False)
        state: Mapping[str, Any] = {}
        turn_input = {"messages": [("user", turn.question)]}
        async for mode, part in graph.astream(
            turn_input, stream_mode=["tasks", "custom", "values"]
        ):
            if mode == "values":
                state = part
            elif mode == "custom":
                printer(part)
            elif "input" in part:
                printer.start_stage(part)
            else:
                printer.end_stage(part)
        printer.finish(state["result"])
        await provider.aclose()


def _as_svg(console: Console) -> str:
    return offline_svg(console.export_svg(title="turngraph demo", unique_id="demo"))
