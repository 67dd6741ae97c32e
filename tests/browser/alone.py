"""The widget alone in a page: its own script, on a model that speaks with Python as Jupyter's would."""

import json
from pathlib import Path
from typing import Any

from turngraph.interfaces.stepper import TurnStepper

SCRIPT = Path(__file__).parents[2] / "interfaces/stepper/widget.js"
MODEL = """() => {
const model = {
  state: {}, heard: [],
  get(name) { return this.state[name] },
  on(event, heard) { this.heard.push(heard) },
  off(event, heard) { this.heard = this.heard.filter(each => each !== heard) },
  async send(asked) { this.show(JSON.parse(await act(JSON.stringify(asked)))) },
  show(view) { this.state.view = view; this.heard.forEach(heard => heard()) },
}
window.model = model
window.begin = async (script, state) => {
  model.state = JSON.parse(state)
  const url = URL.createObjectURL(new Blob([script], {type: "text/javascript"}))
  const { default: widget } = await import(url)
  widget.render({ model, el: document.body })
}}
"""


def widget_on(page: Any, stepper: TurnStepper) -> Any:
    """`stepper`'s widget, drawn in `page`; what its buttons ask is done here."""
    widget = stepper.show()

    def act(asked: str) -> str:
        widget.act(json.loads(asked))
        return json.dumps(widget.view)

    page.expose_function("act", act)
    page.set_content('<!DOCTYPE html><meta charset="utf-8"><title>stepper</title><body></body>')
    page.evaluate(MODEL)
    state = {"css": widget.css, "choices": widget.choices, "view": widget.view}
    page.evaluate(f"begin({json.dumps(SCRIPT.read_text('utf-8'))}, {json.dumps(json.dumps(state))})")
    return widget


def show(page: Any, widget: Any) -> None:
    """Draw what the widget shows now: a cell moved the walk."""
    page.evaluate(f"model.show(JSON.parse({json.dumps(json.dumps(widget.view))}))")
