"""The stepper as a notebook widget: anywidget, so Jupyter, VS Code, Colab and marimo; no build step, no network."""

import threading
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from turngraph.interfaces.plain_text import printable
from turngraph.interfaces.stepper.view import CSS, graph_svg, page, panes, where
from turngraph.state.errors import TurngraphError

if TYPE_CHECKING:
    from turngraph.interfaces.stepper.stepper import TurnStepper

__all__ = ["widget_for"]

_EDITABLE: Final = 200_000
"""Characters of a request that can be edited on the screen; `stepper.edit(body=…)` takes any."""
_MOVES: Final[Mapping[str, Callable[["TurnStepper", Mapping[str, Any]], Any]]] = {
    "step": lambda stepper, asked: stepper.step(),
    "step_into": lambda stepper, asked: stepper.step_into(),
    "step_over": lambda stepper, asked: stepper.step_over(),
    "back": lambda stepper, asked: stepper.back(min(1, len(stepper.behind) - 1)),
    "run": lambda stepper, asked: stepper.run(),
    "retry": lambda stepper, asked: stepper.retry(),
    "jump": lambda stepper, asked: stepper.jump(int(asked["step"])),
    "edit": lambda stepper, asked: stepper.edit(body=str(asked["body"])),
}


def widget_for(stepper: "TurnStepper") -> Any:
    """The widget that shows `stepper`; without the extra `notebook` the stepper itself, which a notebook shows too."""
    try:
        made = _widget_class()
    except ImportError:
        return stepper
    return made(stepper)


def view_of(stepper: "TurnStepper", refused: str) -> dict[str, Any]:
    """All the widget draws, as plain JSON."""
    return {
        "where": printable(where(stepper)),
        "refused": printable(refused),
        "svg": graph_svg(stepper),
        "panes": panes(stepper),
        "place": len(stepper.behind) - 1,
        "last": len(stepper.timeline) - 1,
        "editable": _editable(stepper),
    }


def _editable(stepper: "TurnStepper") -> str:
    """The pending request whole, as it may be edited; empty where there is none, or one too long for a page."""
    request = stepper.request
    whole = "" if request is None or request.sent else str(request)
    return whole if len(whole) <= _EDITABLE else ""


@cache
def _widget_class() -> Any:
    """Made when it is first wanted: a plain install has neither anywidget nor traitlets."""
    import anywidget
    import traitlets

    class StepperWidget(anywidget.AnyWidget):  # type: ignore[misc, unused-ignore]
        """What `TurnStepper.show()` returns. Its cell's saved output is the static page."""

        _esm = (files(__package__) / "widget.js").read_text("utf-8")
        css = traitlets.Unicode(CSS).tag(sync=True)
        view = traitlets.Dict().tag(sync=True)

        def __init__(self, stepper: "TurnStepper") -> None:
            self.stepper = stepper
            self._busy = threading.Lock()  # clicks come from changing threads
            super().__init__(view=view_of(stepper, ""))
            stepper.on_move(self._draw)
            self.on_msg(lambda _, asked, buffers: self.act(asked))

        def act(self, asked: Mapping[str, Any]) -> None:
            """Do what a button asks; what is refused is told on the screen."""
            refused = ""
            with self._busy:
                try:
                    self._move(asked)
                except (TurngraphError, ValueError) as exc:
                    refused = str(exc)
            self._draw(refused)

        def _move(self, asked: Mapping[str, Any]) -> None:
            action = asked.get("action", "")
            if action == "fork":
                self._show(self.stepper.fork(f"fork {len(self.stepper.forks)}"))
            elif action in _MOVES:
                _MOVES[action](self.stepper, asked)

        def _show(self, stepper: "TurnStepper") -> None:
            self.stepper = stepper
            stepper.on_move(self._draw)

        def _draw(self, refused: str = "") -> None:
            self.view = view_of(self.stepper, refused)

        def _repr_mimebundle_(self, **kwargs: Any) -> Any:
            bundle = super()._repr_mimebundle_(**kwargs)
            data, metadata = bundle if isinstance(bundle, tuple) else (bundle or {}, {})
            return {**data, "text/html": page(self.stepper)}, metadata

    return StepperWidget
