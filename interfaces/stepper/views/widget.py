"""The stepper as a notebook widget, by anywidget: for Jupyter, VS Code, Colab and marimo, without a
build step and offline.
"""

import uuid
from functools import cache
from typing import Any

from turngraph.interfaces.stepper.engine.retry_pauses import RetryPause
from turngraph.interfaces.stepper.engine.stepper import Stepper
from turngraph.interfaces.stepper.views.actions import Message
from turngraph.interfaces.stepper.views.page import page
from turngraph.interfaces.stepper.views.style import CSS
from turngraph.interfaces.stepper.views.widget_controller import WidgetController
from turngraph.interfaces.stepper.views.widget_script import widget_script
from turngraph.interfaces.stepper.views.widget_view import pauses_view, widget_choices

__all__ = ["widget_for"]


def widget_for(stepper: Stepper) -> Any:
    """Returns the widget that shows `stepper`.

    Without the extra `notebook` it returns the stepper itself, which a notebook shows as a page.
    """
    try:
        widget_class = _widget_class()
    except ImportError:
        return stepper
    return widget_class(stepper)


class _SavedPage:
    """The page that a saved notebook shows. The living widget hides it by its `data-saved`."""

    def __init__(self, stepper: Stepper, page_id: str) -> None:
        self._stepper, self._page_id = stepper, page_id

    def _repr_html_(self) -> str:
        return f'<div data-saved="{self._page_id}">{page(self._stepper)}</div>'

    def __repr__(self) -> str:
        return repr(self._stepper)


@cache
def _widget_class() -> Any:
    """The widget's class. It is made on first use: a plain install has no anywidget."""
    import anywidget
    import traitlets

    class StepperWidget(anywidget.AnyWidget):  # type: ignore[misc, unused-ignore]
        """What `TurnStepper.show()` returns."""

        _esm = widget_script()
        css = traitlets.Unicode(CSS).tag(sync=True)
        choices = traitlets.Dict().tag(sync=True)
        view = traitlets.Dict().tag(sync=True)
        pauses: Any = traitlets.Dict({"waits": []}).tag(sync=True)

        def __init__(self, stepper: Stepper) -> None:
            self._controller = WidgetController(stepper, self._refresh, self._tell_pauses)
            self._page_id = uuid.uuid4().hex
            self._page_display: Any = None
            choices = {**widget_choices(stepper), "page": self._page_id}
            super().__init__(choices=choices, view=self._controller.view())
            self._controller.watch()
            self.on_msg(lambda _, message, buffers: self.act(message))

        @property
        def stepper(self) -> Stepper:
            """The stepper of the line that is shown."""
            return self._controller.stepper

        def act(self, message: Message) -> None:
            """Does what a button asks."""
            self._controller.act(message)

        def _refresh(self) -> None:
            self.view = self._controller.view()
            if self._page_display is not None:
                self._page_display.update(_SavedPage(self.stepper, self._page_id))

        def _tell_pauses(self, pauses: tuple[RetryPause, ...]) -> None:
            self.pauses = pauses_view(self.stepper, pauses)

        def _repr_mimebundle_(self, **kwargs: Any) -> Any:
            bundle = super()._repr_mimebundle_(**kwargs)
            data, metadata = bundle if isinstance(bundle, tuple) else (bundle or {}, {})
            texts = {"text/plain": repr(self.stepper), "text/html": page(self.stepper)}
            return {**data, **texts}, metadata

        def _ipython_display_(self) -> None:
            """Shows two outputs: the widget, and the page that a saved notebook keeps of it."""
            from IPython.display import display

            # The page is an output of its own, which can be updated; here it would be shown twice.
            data, _ = self._repr_mimebundle_()
            del data["text/html"]
            display(data, raw=True)  # type: ignore[no-untyped-call, unused-ignore]
            saved = _SavedPage(self.stepper, self._page_id)
            self._page_display = display(saved, display_id=True)  # type: ignore[no-untyped-call, unused-ignore]

    return StepperWidget
