"""The stepper as a notebook widget: anywidget, so Jupyter, VS Code, Colab and marimo; no build
step, no network.
"""

import threading
import uuid
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from turngraph.interfaces.plain_text import printable
from turngraph.interfaces.stepper.views.page import page
from turngraph.interfaces.stepper.views.style import CSS
from turngraph.interfaces.stepper.views.widget_state import MOVES, choices_of, view_of
from turngraph.state.errors import TurngraphError

if TYPE_CHECKING:
    from turngraph.interfaces.stepper.stepper import TurnStepper

__all__ = ["widget_for"]


def widget_for(stepper: "TurnStepper") -> Any:
    """The widget that shows `stepper`; without the extra `notebook` the stepper itself, which a
    notebook shows too.
    """
    try:
        made = _widget_class()
    except ImportError:
        return stepper
    return made(stepper)


class _StaticPage:
    """What a saved notebook shows: the page, in an output of its own that the living widget hides."""

    def __init__(self, stepper: "TurnStepper", of: str) -> None:
        self._stepper, self._of = stepper, of

    def _repr_html_(self) -> str:
        return f'<div data-saved="{self._of}">{page(self._stepper)}</div>'

    def __repr__(self) -> str:
        return repr(self._stepper)


@cache
def _widget_class() -> Any:
    """Made when it is first wanted: a plain install has neither anywidget nor traitlets."""
    import anywidget
    import traitlets

    class StepperWidget(anywidget.AnyWidget):  # type: ignore[misc, unused-ignore]
        """What `TurnStepper.show()` returns."""

        _esm = (files(__package__) / "widget.js").read_text("utf-8")
        css = traitlets.Unicode(CSS).tag(sync=True)
        choices = traitlets.Dict().tag(sync=True)
        view = traitlets.Dict().tag(sync=True)

        def __init__(self, stepper: "TurnStepper") -> None:
            self.stepper = stepper
            self._compared: str | None = None
            self._moving = threading.Lock()  # clicks come from changing threads
            self._watched = {stepper.name}
            self._saved: Any = None
            self._served = 0
            self._id = uuid.uuid4().hex
            super().__init__(
                choices={**choices_of(stepper), "page": self._id}, view=self._drawn({})
            )
            stepper.on_move(self._follow)
            self.on_msg(lambda _, asked, buffers: self.act(asked))

        def act(self, asked: Mapping[str, Any]) -> None:
            """Do what a button asks; what is refused is told on the screen, beside what was asked."""
            refused = ""
            with self._moving:
                try:
                    self._move(asked)
                except (TurngraphError, ValueError, LookupError) as exc:
                    refused = str(exc)
            self._served += 1
            self._draw({"about": str(asked.get("about", "")), "text": printable(refused)})

        def _move(self, asked: Mapping[str, Any]) -> None:
            action = asked.get("action", "")
            if action == "fork":
                self._stand_on(
                    self.stepper.fork(str(asked.get("name") or f"fork {len(self.stepper.forks)}"))
                )
            elif action == "line":
                self._stand_on(self.stepper.forks[str(asked["name"])])
            elif action == "compare":
                self._compared = str(asked["name"])
            elif action in MOVES:
                MOVES[action](self.stepper, asked)

        def _stand_on(self, line: "TurnStepper") -> None:
            self.stepper = line
            if line.name not in self._watched:
                self._watched.add(line.name)
                line.on_move(self._follow)

        def _follow(self) -> None:
            """The walk was moved by a cell: a button's own move is drawn when it is over."""
            if not self._moving.locked():
                self._draw({})

        def _draw(self, refused: Mapping[str, str]) -> None:
            self.view = self._drawn(refused)
            if self._saved is not None:
                self._saved.update(self._page())

        def _drawn(self, refused: Mapping[str, str]) -> dict[str, Any]:
            shown = view_of(self.stepper, compared=self._compared)
            return {
                **shown,
                "refused": dict(refused),
                "compared": self._compared,
                "served": self._served,
            }

        def _page(self) -> _StaticPage:
            return _StaticPage(self.stepper, self._id)

        def _repr_mimebundle_(self, **kwargs: Any) -> Any:
            bundle = super()._repr_mimebundle_(**kwargs)
            data, metadata = bundle if isinstance(bundle, tuple) else (bundle or {}, {})
            return {
                **data,
                "text/plain": repr(self.stepper),
                "text/html": page(self.stepper),
            }, metadata

        def _ipython_display_(self) -> None:
            """Two outputs: the widget, and the page that is left of it when nothing runs any more."""
            from IPython.display import display

            data, _ = self._repr_mimebundle_()
            del data["text/html"]
            display(data, raw=True)  # type: ignore[no-untyped-call, unused-ignore]
            self._saved = display(self._page(), display_id=True)  # type: ignore[no-untyped-call, unused-ignore]

    return StepperWidget
