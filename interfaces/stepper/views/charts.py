"""Charts of a line of steps, as SVG: what ran when, and what each call used and cost."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from html import escape
from typing import Final, NamedTuple

from turngraph.drawing.picture import Picture
from turngraph.interfaces.plain_text import money, one_line
from turngraph.interfaces.stepper.engine.steps import Step, attempts_of
from turngraph.interfaces.stepper.engine.task_controller import TaskRun

__all__ = ["STYLE", "cost_chart", "timeline_chart", "tokens_chart"]

_WIDTH: Final = 720
_LABEL_WIDTH: Final = 190
_ROW_HEIGHT: Final = 22
_MODEL_COLOR: Final = "#2f6feb"
_COLORS: Final = {"call_llm": _MODEL_COLOR, "dispatch_tools": "#2da44e"}
_OTHER_COLOR: Final = "#8c959f"
_PAUSE_COLOR: Final = "#d4a72c"
_TEXT: Final = 'font-family="system-ui, sans-serif" font-size="12" fill="#59636e"'
# A style sheet inside a picture applies to the whole page around it, so its rules name the
# picture's class.
STYLE: Final = (
    ".turnchart{background:#fff}@media(prefers-color-scheme:dark){.turnchart{background:#0d1117}"
    ".turnchart text{fill:#9198a1}}"
)
"""A chart has a background of its own: the page around it may have another scheme."""


class _Bar(NamedTuple):
    """A row of a chart. `start` and `length` are shares of the chart's width, from 0 to 1."""

    label: str
    start: float
    length: float
    color: str
    value: str
    pauses: tuple[tuple[float, float], ...] = ()
    """Parts of the bar in which nothing ran: start and length, as shares of the chart's width."""


def timeline_chart(steps: Iterable[Step]) -> Picture:
    """Draws when each stage ran and for how long; model calls are blue, tools green, and the pauses
    before a call was sent again are yellow.

    The time between two steps is left out: it is the person's.
    """
    runs = [run for step in steps for run in step.runs if not run.task.is_graph]
    if not runs:
        return _svg("What ran when", [], "nothing has run")
    bars: list[_Bar] = []
    total = sum(run.seconds for run in runs) or 1e-9  # results written by a person take 0 s
    start = end = 0.0
    for index, run in enumerate(runs):
        # Parallel tasks have the same namespace and superstep: they start together.
        is_parallel = index > 0 and runs[index - 1].task.key[:2] == run.task.key[:2]
        start = start if is_parallel else end
        end = max(end, start + run.seconds)
        color = _COLORS.get(run.task.node, _OTHER_COLOR)
        label = run.task.name if run.task.call is None else run.task.call.name
        pauses = _pauses_in(run)
        waited = sum(length for _, length in pauses)
        value = f"{run.seconds * 1000:.0f} ms"
        value += f", {waited * 1000:.0f} waiting" if waited else ""
        shares = tuple(((start + at) / total, length / total) for at, length in pauses)
        bars.append(_Bar(label, start / total, run.seconds / total, color, value, shares))
    return _svg("What ran when", bars, f"{end * 1000:.0f} ms in all")


def _pauses_in(run: TaskRun) -> list[tuple[float, float]]:
    """The pauses between the attempts of a call: seconds from its beginning, and seconds."""
    attempts = attempts_of(run)
    ends = [each.started_at + each.seconds for each in attempts]
    pauses = [
        (end - attempts[0].started_at, max(0.0, later.started_at - end))
        for end, later in zip(ends, attempts[1:], strict=False)
    ]
    # An answer that was restored from a ledger is older than the run that restored it.
    return [each for each in pauses if sum(each) <= run.seconds]


def tokens_chart(steps: Iterable[Step]) -> Picture:
    """Draws the tokens of each model call: input + output.

    >>> from turngraph.graphs.chat import chat_turn
    >>> from turngraph.interfaces.stepper import TurnStepper
    >>> with TurnStepper(chat_turn("scripted"), {"messages": [("user", "Hello!")]}) as stepper:
    ...     _ = stepper.run()
    ...     "Tokens per call" in tokens_chart(stepper.timeline)
    True
    """
    calls = [
        (attempt.request.model, usage.input_tokens or 0, usage.output_tokens or 0)
        for step in steps
        for attempt in step.attempts
        if attempt.reply is not None and (usage := attempt.reply.usage) is not None
    ]
    most = max((sent + received for _, sent, received in calls), default=0) or 1
    bars = [
        _Bar(
            f"{number}. {model}",
            0.0,
            (sent + received) / most,
            _MODEL_COLOR,
            f"{sent} + {received} tokens",
        )
        for number, (model, sent, received) in enumerate(calls, 1)
    ]
    return _svg("Tokens per call", bars, f"{len(bars)} call{'' if len(bars) == 1 else 's'}")


def cost_chart(steps: Sequence[Step]) -> Picture:
    """Draws what each charge cost; a bar starts where the one before it ends."""
    charges = list({charge.id: charge for step in steps for charge in step.charges}.values())
    total = sum((charge.amount_usd or Decimal(0) for charge in charges), Decimal(0))
    bars, before = [], Decimal(0)
    for number, charge in enumerate(charges, 1):
        amount = charge.amount_usd or Decimal(0)
        start, length = (float(part / total) if total else 0.0 for part in (before, amount))
        label = f"{number}. {charge.tool or charge.plugin or charge.model}"
        bars.append(_Bar(label, start, length, _MODEL_COLOR, money(charge.amount_usd)))
        before += amount
    return _svg("Cost", bars, f"{money(total)} in all")


def _svg(title: str, bars: Sequence[_Bar], note: str) -> Picture:
    height = 44 + _ROW_HEIGHT * len(bars)
    rows = "".join(_row(34 + _ROW_HEIGHT * index, bar) for index, bar in enumerate(bars))
    return Picture(
        '<svg xmlns="http://www.w3.org/2000/svg" class="turnchart" role="img" '
        f'viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style>"
        f'<text {_TEXT} x="8" y="18" font-weight="600">{escape(title)}: {escape(note)}</text>'
        f"{rows}</svg>"
    )


def _row(y: int, bar: _Bar) -> str:
    room = _WIDTH - _LABEL_WIDTH - 120  # the value stands right of the bar
    # A share of zero is drawn as a thin line, or the row would look empty.
    x, width = _LABEL_WIDTH + bar.start * room, max(2.0, bar.length * room)
    label = escape(one_line(bar.label, 28))
    pauses = "".join(
        f'<rect x="{_LABEL_WIDTH + start * room:.1f}" y="{y}" width="{length * room:.1f}" '
        f'height="{_ROW_HEIGHT - 6}" fill="{_PAUSE_COLOR}"/>'
        for start, length in bar.pauses
    )
    return (
        f'<text {_TEXT} x="{_LABEL_WIDTH - 8}" y="{y + 12}" text-anchor="end">{label}</text>'
        f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{_ROW_HEIGHT - 6}" rx="3" '
        f'fill="{bar.color}"/>{pauses}'
        f'<text {_TEXT} x="{x + width + 6:.1f}" y="{y + 12}">{escape(bar.value)}</text>'
    )
