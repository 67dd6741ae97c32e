"""The widget alone on a page: its own script, on a model that exchanges messages with Python as
Jupyter's does.
"""

import json
from typing import Any

from turngraph.interfaces.stepper import TurnStepper
from turngraph.interfaces.stepper.views.widget_script import widget_script

MODEL = """() => {
const modelOf = (state) => ({
  state, listeners: [],
  get(name) { return this.state[name] },
  on(event, listener) { this.listeners.push(listener) },
  off(event, listener) { this.listeners = this.listeners.filter(each => each !== listener) },
  async send(message) { this.show(JSON.parse(await act(JSON.stringify(message)))) },
  show(view) { this.state.view = view; this.listeners.forEach(listener => listener()) },
})
window.begin = async (script, states) => {
  const url = URL.createObjectURL(new Blob([script], {type: "text/javascript"}))
  const { default: widget } = await import(url)
  window.models = states.map(modelOf)
  for (const model of models) {
    const el = document.body.appendChild(document.createElement("div"))
    widget.render({ model, el })
  }
}}
"""
EMPTY = (
    '<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>stepper</title>'
    "<body></body></html>"
)


def open_widget(page: Any, stepper: TurnStepper) -> Any:
    """Draws the widget of `stepper` on `page`, connects its buttons and returns it."""
    widget = stepper.show()

    def act(message: str) -> str:
        widget.act(json.loads(message))
        return json.dumps(widget.view)

    page.expose_function("act", act)
    page.set_content(EMPTY)
    draw(page, [state_of(widget)])
    return widget


def state_of(widget: Any) -> dict[str, Any]:
    """Returns what Jupyter would send to the page."""
    names = ("css", "choices", "view", "pauses")
    return {name: getattr(widget, name) for name in names}


def draw(page: Any, states: list[dict[str, Any]]) -> None:
    """Draws a widget for each of `states`, below what the page shows already."""
    page.evaluate(MODEL)
    page.evaluate(f"begin({json.dumps(widget_script())}, {json.dumps(states)})")


def redraw(page: Any, widget: Any) -> None:
    """Draws the widget as it is now, as after a move made by a notebook cell."""
    page.evaluate(f"models[0].show({json.dumps(widget.view)})")


def show_pauses(page: Any, widget: Any) -> None:
    """Draws the pauses of a move that is under way."""
    page.evaluate(f"models[0].state.pauses = {json.dumps(widget.pauses)}")
    page.evaluate("models[0].show(models[0].state.view)")
