"""Pictures of a walk, as SVG: what ran when, and what each call used and cost."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from html import escape
from typing import Final

from turngraph.interfaces.plain_text import money, one_line
from turngraph.interfaces.stepper.engine.steps import Step
from turngraph.interfaces.stepper.engine.task_controller import Done
from turngraph.state.result import Attempt

__all__ = ["Picture", "cost_chart", "timeline_chart", "tokens_chart"]

_WIDTH: Final = 720
_LEFT: Final = 190
_ROW: Final = 22
_COLOURS: Final = {"call_llm": "#2f6feb", "dispatch_tools": "#2da44e"}
_OTHER: Final = "#8c959f"
_TEXT: Final = 'font-family="system-ui, sans-serif" font-size="12" fill="#59636e"'
# A style sheet in a picture speaks to the whole page it stands in: every rule names the picture's
# class.
_STYLE: Final = "<style>@media(prefers-color-scheme:dark){.turnchart text{fill:#9198a1}}</style>"


class Picture(str):
    """An SVG document that a notebook shows."""

    __slots__ = ()

    def _repr_svg_(self) -> str:
        return str(self)

    def __repr__(self) -> str:
        return f"<picture, {len(self)} characters of SVG>"


def timeline_chart(steps: Iterable[Step]) -> Picture:
    """When each stage ran, and for how long: the model blue, tools green; a person's thinking
    between is left out.
    """
    ran = [done for step in steps for done in step.done if not done.task.is_graph]
    if not ran:
        return _svg("What ran when", [], "nothing has run")
    rows, at = [], 0.0
    total = sum(done.seconds for done in ran) or 1e-9
    begun = 0.0
    for place, done in enumerate(ran):
        beside = place > 0 and ran[place - 1].task.key[:2] == done.task.key[:2]
        start = begun if beside else at
        begun, at = start, max(at, start + done.seconds)
        rows.append(
            (
                _label(done),
                start / total,
                done.seconds / total,
                _colour(done),
                f"{done.seconds * 1000:.0f} ms",
            )
        )
    return _svg("What ran when", rows, f"{at * 1000:.0f} ms in all")


def tokens_chart(steps: Iterable[Step]) -> Picture:
    """The tokens of each call: what was sent and what came."""
    calls = _calls(steps)
    used = [
        (made, made.reply.usage)
        for made in calls
        if made.reply is not None and made.reply.usage is not None
    ]
    most = (
        max(
            ((usage.input_tokens or 0) + (usage.output_tokens or 0) for _, usage in used), default=0
        )
        or 1
    )
    rows = []
    for number, (made, usage) in enumerate(used, 1):
        sent, came = usage.input_tokens or 0, usage.output_tokens or 0
        said = f"{sent} + {came} tokens"
        rows.append(
            (
                f"{number}. {made.request.model}",
                0.0,
                (sent + came) / most,
                _COLOURS["call_llm"],
                said,
            )
        )
    return _svg("Tokens per call", rows, f"{len(rows)} calls")


def cost_chart(steps: Sequence[Step]) -> Picture:
    """What each charge cost, and the sum so far."""
    charges = list({charge.id: charge for step in steps for charge in step.charges}.values())
    total = sum((charge.amount_usd or Decimal(0) for charge in charges), Decimal(0))
    rows, before = [], Decimal(0)
    for number, charge in enumerate(charges, 1):
        amount = charge.amount_usd or Decimal(0)
        start, share = (float(part / total) if total else 0.0 for part in (before, amount))
        name = charge.tool or charge.plugin or charge.model
        rows.append(
            (f"{number}. {name}", start, share, _COLOURS["call_llm"], money(charge.amount_usd))
        )
        before += amount
    return _svg("Cost", rows, f"{money(total)} in all")


def _svg(title: str, rows: Sequence[tuple[str, float, float, str, str]], note: str) -> Picture:
    room, height = _WIDTH - _LEFT - 120, 44 + _ROW * len(rows)
    bars = []
    for place, (name, start, share, colour, said) in enumerate(rows):
        y, x, width = 34 + _ROW * place, _LEFT + start * room, max(2.0, share * room)
        bars.append(
            f'<text {_TEXT} x="{_LEFT - 8}" y="{y + 12}" text-anchor="end">{escape(one_line(name, 28))}</text>'
            f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{_ROW - 6}" rx="3" fill="{colour}"/>'
            f'<text {_TEXT} x="{x + width + 6:.1f}" y="{y + 12}">{escape(said)}</text>'
        )
    return Picture(
        f'<svg xmlns="http://www.w3.org/2000/svg" class="turnchart" role="img" viewBox="0 0 {_WIDTH} {height}" '
        f'width="{_WIDTH}">'
        f"<title>{escape(title)}</title>{_STYLE}"
        f'<text {_TEXT} x="8" y="18" font-weight="600">{escape(title)}: {escape(note)}</text>{"".join(bars)}</svg>'
    )


def _calls(steps: Iterable[Step]) -> list[Attempt]:
    return [made for step in steps for made in step.attempts]


def _label(done: Done) -> str:
    return done.task.name if done.task.call is None else done.task.call.name


def _colour(done: Done) -> str:
    return _COLOURS.get(done.task.node, _OTHER)
