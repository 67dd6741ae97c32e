"""The widget alone in a page: its own script, on a model that speaks with Python as Jupyter's
would.
"""

import json
from typing import Any

from tests.paths import ROOT
from turngraph.interfaces.stepper import TurnStepper

SCRIPT = ROOT / "interfaces/stepper/views/widget.js"
MODEL = """() => {
const modelOf = (state) => ({
  state, heard: [],
  get(name) { return this.state[name] },
  on(event, heard) { this.heard.push(heard) },
  off(event, heard) { this.heard = this.heard.filter(each => each !== heard) },
  async send(asked) { this.show(JSON.parse(await act(JSON.stringify(asked)))) },
  show(view) { this.state.view = view; this.heard.forEach(heard => heard()) },
})
window.begin = async (script, states) => {
  const url = URL.createObjectURL(new Blob([script], {type: "text/javascript"}))
  const { default: widget } = await import(url)
  window.models = states.map(modelOf)
  for (const model of models) widget.render({ model, el: document.body.appendChild(document.createElement("div")) })
}}
"""
EMPTY = '<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>stepper</title><body></body></html>'


def widget_on(page: Any, stepper: TurnStepper) -> Any:
    """`stepper`'s widget, drawn in `page`; what its buttons ask is done here."""
    widget = stepper.show()

    def act(asked: str) -> str:
        widget.act(json.loads(asked))
        return json.dumps(widget.view)

    page.expose_function("act", act)
    page.set_content(EMPTY)
    draw(page, [state_of(widget)])
    return widget


def state_of(widget: Any) -> dict[str, Any]:
    """What Jupyter would send to the page."""
    return {"css": widget.css, "choices": widget.choices, "view": widget.view}


def draw(page: Any, states: list[dict[str, Any]]) -> None:
    """A widget for each of `states`, below what the page holds."""
    page.evaluate(MODEL)
    page.evaluate(f"begin({json.dumps(SCRIPT.read_text('utf-8'))}, {json.dumps(states)})")


def show(page: Any, widget: Any) -> None:
    """Draw what the widget shows now: a cell moved the walk."""
    page.evaluate(f"models[0].show({json.dumps(widget.view)})")
