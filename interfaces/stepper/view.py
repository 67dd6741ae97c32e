"""What a screen shows of a walk: the same panes for the widget, the static page and the terminal. All of it is text.

Whatever a model, a tool or a server wrote is escaped here, once, by `html.escape`; no pane holds markup from outside.
"""

import json
from collections.abc import Callable, Mapping
from html import escape
from typing import TYPE_CHECKING, Any, Final

from langchain_core.messages import BaseMessage
from pydantic import BaseModel

from turngraph.graphs.drawing import draw_svg
from turngraph.interfaces.plain_text import money, printable
from turngraph.interfaces.stepper.gate import graphs_in
from turngraph.interfaces.stepper.steps import Step

if TYPE_CHECKING:
    from turngraph.interfaces.stepper.stepper import TurnStepper

__all__ = ["PANES", "graph_svg", "page", "panes"]

_MOST: Final = 20_000
"""Characters of one pane: a page stays quick at any length of thread."""
_MESSAGES: Final = 30


def panes(stepper: "TurnStepper") -> dict[str, str]:
    """Every pane as plain text, by name."""
    return {name: _cut(make(stepper)) for name, make in PANES.items()}


def graph_svg(stepper: "TurnStepper") -> str:
    """The graph with what is next lit, what ran and what failed marked: the one the walk is in."""
    now = stepper.now
    where = now.pending[0] if now.pending else None
    inside = "/".join(part.partition(":")[0] for part in where.space.split("|") if part) if where else ""
    graphs = dict(graphs_in(stepper.graph))
    picture = draw_svg(graphs.get(inside, stepper.graph).get_graph())
    space = where.space if where else ""
    ran = {done.task.node for step in stepper.behind for done in step.done if done.task.space == space}
    failed = {task.node for task in now.pending} if now.failed else set()
    for nodes, mark in ((ran, "done"), ({task.node for task in now.pending}, "next"), (failed, "failed")):
        for node in nodes:
            name = f'data-node="{escape(node)}"'
            picture = picture.replace(name, f'{name} data-mark="{mark}"', 1)
    return picture


def page(stepper: "TurnStepper") -> str:
    """The whole view as HTML without a script: for a saved notebook, and where there are no widgets."""
    shown = panes(stepper)
    details = "".join(
        f"<details{' open' if name in ('messages', 'request', 'response') else ''}><summary>{escape(name)}</summary>"
        f"<pre>{escape(text)}</pre></details>"
        for name, text in shown.items()
        if text
    )
    steps = "".join(
        f"<li{_current(step, stepper.now)}>{escape(printable(str(step)))}</li>" for step in stepper.timeline
    )
    return (
        f'<div class="turnstepper" role="region" aria-label="Turn stepper"><style>{CSS}</style>'
        f'<p class="ts-where">{escape(printable(where(stepper)))}</p>'
        f'<div class="ts-body"><div class="ts-graph">{graph_svg(stepper)}</div>'
        f'<div class="ts-panes">{details}</div></div>'
        f"<details><summary>timeline</summary><ol start=0>{steps}</ol></details></div>"
    )


def where(stepper: "TurnStepper") -> str:
    """One line: the line, the step, what is next, the cost so far."""
    return f"{stepper.name} · step {stepper.now} · {money(stepper.cost)}"


def _current(step: Step, now: Step) -> str:
    return ' aria-current="step"' if step is now else ""


def _messages(stepper: "TurnStepper") -> str:
    messages = stepper.state.get("messages") or []
    shown = [message for message in messages if isinstance(message, BaseMessage)][-_MESSAGES:]
    before = len(messages) - len(shown)
    lines = [f"… {before} earlier messages"] if before else []
    for message in shown:
        calls = [f"{call['name']}({json.dumps(call['args'], ensure_ascii=False)})" for call in _calls(message)]
        lines.append(f"{message.type}: {' '.join(filter(None, (message.text, *calls)))}")
    return "\n".join(lines)


def _calls(message: BaseMessage) -> list[Any]:
    return list(getattr(message, "tool_calls", None) or [])


def _request(stepper: "TurnStepper") -> str:
    request = stepper.request
    return "" if request is None else str(request)


def _response(stepper: "TurnStepper") -> str:
    reply = stepper.response
    return "" if reply is None else _json(reply)


def _tools(stepper: "TurnStepper") -> str:
    pending = [f"next: {task.call.name}({task.call.arguments})" for task in stepper.now.pending if task.call]
    runs = stepper.state.get("tool_runs") or []
    return "\n".join([*(f"{run.status}: {run.name}({run.arguments}) → {run.content}" for run in runs), *pending])


def _difference(stepper: "TurnStepper") -> str:
    place = stepper.behind.index(stepper.now)
    return "" if place == 0 else str(stepper.diff(stepper.behind[place - 1], stepper.now))


def _events(stepper: "TurnStepper") -> str:
    shown = (event for event in stepper.events if getattr(event, "type", "") != "token")
    return "\n".join(_line(event) for event in shown)


def _line(event: BaseModel) -> str:
    return event.model_dump_json(exclude={"turn_id", "request"}, exclude_none=True)


def _charges(stepper: "TurnStepper") -> str:
    return "\n".join(f"{charge.kind} {charge.model}: {money(charge.amount_usd)}" for charge in stepper.charges)


def _problem(stepper: "TurnStepper") -> str:
    now = stepper.now
    asked = [f"waits for an answer: {waiting.interrupt.value}" for waiting in now.waiting]
    error = [] if now.error is None else [f"{type(now.error).__name__}: {now.error}"]
    return "\n".join((*error, *asked))


PANES: Final[Mapping[str, Callable[["TurnStepper"], str]]] = {
    "problem": _problem,
    "messages": _messages,
    "request": _request,
    "response": _response,
    "tools": _tools,
    "diff": _difference,
    "events": _events,
    "charges": _charges,
}
"""What is shown, by name, in order."""


def _json(value: BaseModel) -> str:
    return json.dumps(value.model_dump(mode="json", exclude_none=True, exclude={"raw"}), indent=2, ensure_ascii=False)


def _cut(text: str) -> str:
    text = printable(text)
    return text if len(text) <= _MOST else f"{text[:_MOST]}\n… {len(text) - _MOST} more characters"


CSS: Final = """
.turnstepper{--ink:#1f2328;--dim:#59636e;--line:#d0d7de;--paper:#fff;--lit:#2f6feb;color:var(--ink);background:var(--paper);
font:13px system-ui,sans-serif;border:1px solid var(--line);border-radius:8px;padding:10px}
@media(prefers-color-scheme:dark){.turnstepper{--ink:#e6edf3;--dim:#9198a1;--line:#30363d;--paper:#0d1117}}
.turnstepper .ts-body{display:flex;gap:14px;flex-wrap:wrap}
.turnstepper .ts-graph{flex:0 0 300px}.turnstepper .ts-graph svg{width:300px;height:auto}
.turnstepper .ts-panes{flex:1 1 380px;min-width:0}
.turnstepper pre,.turnstepper textarea{font:12px ui-monospace,Menlo,Consolas,monospace;white-space:pre-wrap;
overflow-wrap:anywhere;max-height:320px;overflow:auto;margin:4px 0;background:transparent;color:inherit}
.turnstepper textarea{width:100%;box-sizing:border-box;min-height:150px;border:1px solid var(--line)}
.turnstepper summary{cursor:pointer;color:var(--dim);font-weight:600}
.turnstepper button{font:inherit;color:inherit;background:transparent;border:1px solid var(--line);border-radius:6px;
padding:3px 10px;margin:0 4px 4px 0;cursor:pointer}
.turnstepper button:focus-visible,.turnstepper summary:focus-visible{outline:2px solid var(--lit)}
.turnstepper input[type=range]{width:100%}
.turnstepper [aria-current]{font-weight:700}
.turnstepper [data-mark=done] rect{stroke:#2da44e;stroke-width:2.2}
.turnstepper [data-mark=next] rect{stroke:#2f6feb;stroke-width:3.5;fill:#ddf4ff}
.turnstepper [data-mark=failed] rect{stroke:#cf222e;stroke-width:3.5}
@media(prefers-color-scheme:dark){.turnstepper [data-mark=next] rect{fill:#0c2d6b}}
"""
