"""What a screen shows of a walk, pane by pane, as plain text and rows: for the widget, the page and
the terminal.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from langchain_core.messages import BaseMessage
from pydantic import BaseModel

from turngraph.interfaces.plain_text import money, printable
from turngraph.interfaces.stepper.views.charts import cost_chart, timeline_chart, tokens_chart
from turngraph.state.result import Charge

if TYPE_CHECKING:
    from turngraph.interfaces.stepper.stepper import TurnStepper

__all__ = ["PANES", "Pane", "panes_of", "where"]

_MOST: Final = 20_000
"""Characters of one pane: a page stays quick at any length of thread."""
_SHORT: Final = 400
"""Characters of one value of a state, where two are shown side by side."""
_MESSAGES: Final = 30
Row = tuple[str, ...]


@dataclass(frozen=True)
class Pane:
    """A part of the screen: a text, or rows under a head, or pictures. Nothing in it has been
    escaped yet.
    """

    text: str = ""
    head: Row = ()
    rows: tuple[Row, ...] = ()
    line: str = "{}"
    """How a row reads where there are no tables."""
    note: str = ""
    """What stands beside the pane's name."""
    pictures: tuple[str, ...] = ()
    """SVG documents of ours."""

    @property
    def lines(self) -> str:
        """All of it as text."""
        return self.text or "\n".join(self.line.format(*row) for row in self.rows)

    @property
    def empty(self) -> bool:
        """Whether there is nothing to show."""
        return not (self.text or self.rows or self.pictures)


def panes_of(stepper: "TurnStepper", *, compared: str | None = None) -> dict[str, Pane]:
    """Every pane by name, in order; `compared` names the line that this one stands beside in
    `compare`.
    """
    made = {name: make(stepper) for name, make in PANES.items()}
    if compared is not None and compared in stepper.forks:
        made["compare"] = _beside(stepper, compared)
    return {name: _fitted(pane) for name, pane in made.items()}


def where(stepper: "TurnStepper") -> str:
    """One line: the line, the step, what is next, the cost so far."""
    return printable(f"{stepper.name} · step {stepper.now} · {money(stepper.cost)}")


def _problem(stepper: "TurnStepper") -> Pane:
    now = stepper.now
    asked = [f"waits for an answer: {_said(waiting.interrupt.value)}" for waiting in now.waiting]
    error = [] if now.error is None else [f"{type(now.error).__name__}: {now.error}"]
    return Pane("\n".join((*error, *asked)))


def _messages(stepper: "TurnStepper") -> Pane:
    messages = stepper.state.get("messages") or []
    shown = [message for message in messages if isinstance(message, BaseMessage)][-_MESSAGES:]
    before = len(messages) - len(shown)
    rows = [("…", f"{before} earlier messages")] if before else []
    rows += [
        (message.type, " ".join(filter(None, (message.text, *_calls(message)))))
        for message in shown
    ]
    return Pane(
        head=("from", "text"),
        rows=tuple(rows),
        line="{}: {}",
        note=str(len(messages)) if messages else "",
    )


def _calls(message: BaseMessage) -> list[str]:
    calls = getattr(message, "tool_calls", None) or []
    return [f"{call['name']}({json.dumps(call['args'], ensure_ascii=False)})" for call in calls]


def _request(stepper: "TurnStepper") -> Pane:
    request = stepper.request
    if request is None:
        return Pane()
    warned = "".join(f"\n// {warning}" for warning in request.warnings)
    return Pane(f"{request}{warned}", note="sent" if request.sent else "about to be sent")


def _curl(stepper: "TurnStepper") -> Pane:
    request = stepper.request
    return Pane() if request is None else Pane(request.as_curl())


def _response(stepper: "TurnStepper") -> Pane:
    reply = stepper.response
    if reply is None:
        return Pane()
    told = reply.model_dump(mode="json", exclude_defaults=True, exclude={"raw"})
    return Pane(json.dumps(told, indent=2, ensure_ascii=False), note=reply.finish_reason or "")


def _tools(stepper: "TurnStepper") -> Pane:
    runs = stepper.state.get("tool_runs") or []
    rows = [(run.status, run.name, run.arguments, run.content) for run in runs]
    rows += [
        ("next", task.call.name, task.call.arguments, "…")
        for task in stepper.now.pending
        if task.call
    ]
    head = ("status", "tool", "arguments", "result")
    return Pane(
        head=head, rows=tuple(rows), line="{}: {}({}) → {}", note=str(len(rows)) if rows else ""
    )


def _difference(stepper: "TurnStepper") -> Pane:
    behind = stepper.behind
    if len(behind) < 2:
        return Pane()
    changes = stepper.diff(behind[-2], behind[-1])
    rows = tuple((change.path, _short(change.before), _short(change.after)) for change in changes)
    return Pane(
        head=("what", "before", "after"),
        rows=rows,
        line="{}: {} → {}",
        note=str(len(rows)) if rows else "",
    )


def _events(stepper: "TurnStepper") -> Pane:
    shown = [event for event in stepper.events if getattr(event, "type", "") != "token"]
    rows = tuple((getattr(event, "type", type(event).__name__), _details(event)) for event in shown)
    return Pane(
        head=("event", "what"), rows=rows, line="{} {}", note=str(len(rows)) if rows else ""
    )


def _details(event: BaseModel) -> str:
    return event.model_dump_json(exclude={"type", "turn_id", "request"}, exclude_none=True)


def _charges(stepper: "TurnStepper") -> Pane:
    rows = tuple(_charge(charge) for charge in stepper.charges)
    head = ("for", "of", "tokens in", "tokens out", "USD")
    return Pane(
        head=head,
        rows=rows,
        line="{} {}: {} + {} tokens: {}",
        note=money(stepper.cost) if rows else "",
    )


def _charge(charge: Charge) -> Row:
    used = charge.usage
    tokens = ("", "") if used is None else (used.input_tokens, used.output_tokens)
    marks = [name for name in ("estimated", "overrun") if getattr(charge, name)]
    amount = " ".join((money(charge.amount_usd), *marks))
    name = charge.tool or charge.plugin or charge.model
    return (
        charge.kind,
        name,
        *("" if number is None else str(number) for number in tokens),
        amount,
    )


def _charts(stepper: "TurnStepper") -> Pane:
    steps = stepper.behind
    if not any(step.done for step in steps):
        return Pane()
    charts = [timeline_chart(steps)]
    if any(step.attempts for step in steps):
        charts += [tokens_chart(steps), cost_chart(steps)]
    return Pane(pictures=tuple(charts))


def _compare(stepper: "TurnStepper") -> Pane:
    other = next((name for name in stepper.forks if name != stepper.name), None)
    return Pane() if other is None else _beside(stepper, other)


def _beside(stepper: "TurnStepper", other: str) -> Pane:
    found = stepper.compare(stepper, other)
    rows = [
        ("steps", *map(str, found.steps)),
        ("calls to the model", *map(str, found.calls)),
        ("cost", *map(money, found.cost_usd)),
        ("answer", *found.answers),
        *((change.path, _short(change.before), _short(change.after)) for change in found.changes),
    ]
    note = f"they part after step {found.parted_at}"
    return Pane(head=("", *found.names), rows=tuple(rows), line="{}: {} | {}", note=note)


def _breakpoints(stepper: "TurnStepper") -> Pane:
    return Pane("\n".join(map(repr, stepper.breakpoints)))


PANES: Final[Mapping[str, Callable[["TurnStepper"], Pane]]] = {
    "problem": _problem,
    "messages": _messages,
    "request": _request,
    "response": _response,
    "tools": _tools,
    "diff": _difference,
    "events": _events,
    "charges": _charges,
    "charts": _charts,
    "compare": _compare,
    "curl": _curl,
    "breakpoints": _breakpoints,
}
"""What is shown, by name, in order."""


def _said(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _short(value: Any) -> str:
    """A value of a state; a message as what it says."""
    if isinstance(value, BaseMessage):
        return " ".join(filter(None, (value.text, *_calls(value)))) or "(no text)"
    if isinstance(value, BaseModel):
        value = value.model_dump_json(exclude_defaults=True)
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= _SHORT else f"{text[:_SHORT]}…"


def _fitted(pane: Pane) -> Pane:
    """`pane` with every control character shown, and no longer than a page can hold: of rows, the
    last.
    """
    text = _cut(printable(pane.text))
    rows = [tuple(_cut(printable(cell)) for cell in row) for row in pane.rows]
    room, kept = _MOST, len(rows)
    while kept and room > 0:
        kept -= 1
        room -= sum(map(len, rows[kept]))
    if kept:
        rows = [("…", f"{kept} more before", *[""] * (len(pane.head) - 2)), *rows[kept:]]
    return replace(
        pane, text=text, rows=tuple(rows), note=printable(pane.note), head=_printables(pane.head)
    )


def _printables(texts: Sequence[str]) -> Row:
    return tuple(map(printable, texts))


def _cut(text: str) -> str:
    return text if len(text) <= _MOST else f"{text[:_MOST]}\n… {len(text) - _MOST} more characters"
