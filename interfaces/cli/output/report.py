"""Reports of a finished turn: a table of its charges, a summary line, a sentence on its failure."""

from typing import Final
from urllib.parse import urlsplit

from rich.console import Console
from rich.table import Table

from turngraph.interfaces.cli.model_options import SelectedModel
from turngraph.interfaces.outcomes import why_no_answer
from turngraph.interfaces.plain_text import money, printable
from turngraph.state.result import Charge, TurnResult

__all__ = ["charges_table", "explain_failure", "print_scripted_notice", "summary"]

_ENDPOINT_ERRORS: Final = frozenset({"connection", "timeout", "not_found", "protocol"})
"""Kinds of errors that a wrong base URL may cause, so that their report names it."""
_COUNT_FIELDS: Final = ("input_tokens", "cache_read_tokens", "output_tokens", "reasoning_tokens")


def charges_table(result: TurnResult) -> Table:
    """Returns one row for each charge of the turn, and a row with the total."""
    table = Table(
        box=None, padding=(0, 2, 0, 0), header_style="dim", title_style="dim", title_justify="left"
    )
    table.add_column("charge")
    for name in ("input", "cached", "output", "reasoning", "USD"):
        table.add_column(name, justify="right")
    for charge in result.charges:
        table.add_row(
            _describe(charge), *_counts(charge.usage), money(charge.amount_usd) + _marks(charge)
        )
    table.add_row("total", *_counts(result.usage), money(result.cost_usd), style="bold")
    return table


def summary(result: TurnResult, model: str) -> str:
    """Returns one line about the turn: model, status, calls, tokens, cost and time.

    >>> summary(TurnResult(turn_id="t", status="completed", seconds=1.234), "openai:gpt-5-mini")
    'openai:gpt-5-mini · completed · 0 calls · no price · 1.2 s'
    """
    calls, tools = len(result.attempts), len(result.tool_runs)
    parts = [printable(model), result.status, _plural(calls, "call")]
    if tools:
        parts.append(_plural(tools, "tool call"))
    if result.usage is not None:
        parts.append(
            f"{result.usage.input_tokens or 0:,} + {result.usage.output_tokens or 0:,} tokens"
        )
    return " · ".join([*parts, money(result.cost_usd), f"{result.seconds:.1f} s"])


def print_scripted_notice(model: SelectedModel, console: Console) -> None:
    """Says that the scripted model answers and why, where it does."""
    if model.scripted_reason is not None:
        tools = ", ".join(model.functions)
        console.print(
            f"This is the scripted model, not a language model: {model.scripted_reason}.\n"
            f"It runs on this machine, costs nothing and can only call tools ({tools}). "
            "`turngraph vendors` lists where to find a real one.",
            style="yellow",
            highlight=False,
            soft_wrap=True,
        )


def explain_failure(result: TurnResult, model: SelectedModel) -> str:
    """Returns one sentence on why a turn has no complete answer."""
    sentence = why_no_answer(result.status, result.error, result.refusal)
    if result.error is not None and result.error.kind in _ENDPOINT_ERRORS:
        return f"{sentence} (asked at {_public_url(model)})"
    return sentence


def _public_url(model: SelectedModel) -> str:
    """Returns the base URL without the parts that may hold a secret: user, password and query."""
    parts = urlsplit(model.config.base_url)
    port = "" if parts.port is None else f":{parts.port}"
    return f"{parts.scheme}://{parts.hostname}{port}{parts.path}"


def _describe(charge: Charge) -> str:
    if charge.kind == "completion":
        return printable(f"{charge.vendor}:{charge.model}")
    return printable(f"{charge.kind} {charge.tool or charge.plugin or ''}")


def _counts(usage: object) -> list[str]:
    numbers = [getattr(usage, name, None) for name in _COUNT_FIELDS]
    return ["" if number is None else f"{number:,}" for number in numbers]


def _marks(charge: Charge) -> str:
    marks = [name for name in ("estimated", "overrun") if getattr(charge, name)]
    return f" ({', '.join(marks)})" if marks else ""


def _plural(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
