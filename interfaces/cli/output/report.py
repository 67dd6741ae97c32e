"""What a turn used and cost, as a table, as a line, as a sentence."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from rich.console import Console
from rich.table import Table

from turngraph.interfaces.cli.model_options import Model
from turngraph.interfaces.plain_text import money, one_line, printable
from turngraph.state.kinds import TurnStatus
from turngraph.state.result import Charge, TurnResult

__all__ = ["charges_table", "say_who_answers", "summary", "why_no_answer"]

_ABOUT_THE_ENDPOINT: Final = frozenset({"connection", "timeout", "not_found", "protocol"})
_COUNTS: Final = ("input_tokens", "cache_read_tokens", "output_tokens", "reasoning_tokens")

_SENTENCES: Final[Mapping[TurnStatus, str]] = {
    "length": "The answer was cut at its token limit; --max-tokens raises it.",
    "content_filter": "The vendor's content filter stopped the answer.",
    "empty": "The model answered with nothing: no text and no tool call.",
    "refused": "The model declined to answer.",
}


def charges_table(result: TurnResult) -> Table:
    """A row for every charge of the turn, and what they add up to."""
    table = Table(
        box=None, padding=(0, 2, 0, 0), header_style="dim", title_style="dim", title_justify="left"
    )
    table.add_column("charge")
    for name in ("prompt", "cached", "completion", "reasoning", "USD"):
        table.add_column(name, justify="right")
    for charge in result.charges:
        table.add_row(
            _what(charge), *_counts(charge.usage), money(charge.amount_usd) + _marks(charge)
        )
    table.add_row("total", *_counts(result.usage), money(result.cost_usd), style="bold")
    return table


def summary(result: TurnResult, model: str) -> str:
    """The turn on one line.

    >>> summary(TurnResult(turn_id="t", status="completed", seconds=1.234), "openai:gpt-5-mini")
    'openai:gpt-5-mini · completed · 0 calls · no price · 1.2 s'
    """
    calls, tools = len(result.attempts), len(result.tool_runs)
    parts = [printable(model), result.status, _counted(calls, "call")]
    if tools:
        parts.append(_counted(tools, "tool call"))
    if result.usage is not None:
        parts.append(
            f"{result.usage.input_tokens or 0:,} + {result.usage.output_tokens or 0:,} tokens"
        )
    return " · ".join([*parts, money(result.cost_usd), f"{result.seconds:.1f} s"])


def say_who_answers(model: Model, console: Console) -> None:
    """Tell a person that the scripted model answers, where it does."""
    if model.scripted_because is not None:
        tools = ", ".join(model.functions)
        console.print(
            f"This is the scripted model, not a language model: {model.scripted_because}.\n"
            f"It runs on this machine, costs nothing and can only call tools ({tools}). "
            "`turngraph vendors` lists the real ones.",
            style="yellow",
            highlight=False,
            soft_wrap=True,
        )


def why_no_answer(result: TurnResult, model: Model) -> str:
    """One sentence on why a turn has no whole answer."""
    if result.error is not None:
        where = f" (asked at {_host(model)})" if result.error.kind in _ABOUT_THE_ENDPOINT else ""
        return one_line(result.error.message, 2_000) + where
    sentence = _SENTENCES.get(result.status, f"The turn ended with status `{result.status}`.")
    return f"{sentence} It said: {one_line(result.refusal, 2_000)}" if result.refusal else sentence


def _host(model: Model) -> str:
    """Where the model is asked, without what a URL may keep secret."""
    parts = urlsplit(model.config.base_url)
    port = "" if parts.port is None else f":{parts.port}"
    return f"{parts.scheme}://{parts.hostname}{port}{parts.path}"


def _what(charge: Charge) -> str:
    if charge.kind == "completion":
        return printable(f"{charge.vendor}:{charge.model}")
    return printable(f"{charge.kind} {charge.tool or charge.plugin or ''}")


def _counts(usage: object) -> list[str]:
    numbers = [getattr(usage, name, None) for name in _COUNTS]
    return ["" if number is None else f"{number:,}" for number in numbers]


def _marks(charge: Charge) -> str:
    marks = [name for name in ("estimated", "overrun") if getattr(charge, name)]
    return f" ({', '.join(marks)})" if marks else ""


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
