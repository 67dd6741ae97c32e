"""The widget without its library: which line it shows, and what a message from the browser does."""

import asyncio
import threading
from collections.abc import Callable
from typing import Final

from turngraph.interfaces.plain_text import printable
from turngraph.interfaces.stepper.engine.retry_pauses import RetryPauses, TellPauses
from turngraph.interfaces.stepper.engine.stepper import Stepper
from turngraph.interfaces.stepper.engine.steps import Step
from turngraph.interfaces.stepper.views.actions import ACTIONS, Message, newest_of, number_in
from turngraph.interfaces.stepper.views.widget_view import widget_view
from turngraph.state.errors import TurngraphError
from turngraph.state.json_types import JsonObject

__all__ = ["WidgetController"]

_QUICK_S: Final = 0.2
"""A run is not followed more often than this: to draw each of many quick steps would slow it down.
"""


class WidgetController:
    """Does what the widget's buttons ask.

    Args:
        stepper: the line that is shown first.
        refresh: is called when there is something to draw.
        tell_pauses: is given the pauses before a call is sent again, as they begin and end, and
            while a run goes on, on the thread that runs the walk.
    """

    def __init__(
        self,
        stepper: Stepper,
        refresh: Callable[[], None],
        tell_pauses: TellPauses = lambda pauses: None,
    ) -> None:
        self.stepper = stepper
        self._refresh, self._pauses = refresh, RetryPauses(tell_pauses)
        self._compared: str | None = None
        self._call: tuple[Step, int] | None = None
        """The call to the model that was chosen, and where: a move shows the latest again."""
        self._refusal = {"field": "", "text": ""}
        self._handled = 0
        self._lock = threading.Lock()  # clicks come from changing threads
        self._watched: set[Stepper] = set()
        self._is_following = False

    def act(self, message: Message) -> None:
        """Does what a button asks. A refusal is shown beside the field that it is about."""
        text = ""
        with self._lock:
            try:
                self._do(message)
            except KeyError as exc:  # whose text is the bare name
                text = f"There is no {exc} here."
            except (TurngraphError, ValueError, LookupError) as exc:
                text = str(exc)
            finally:
                self._pauses.end()
        self._handled += 1
        self._refusal = {"field": str(message.get("field", "")), "text": printable(text)}
        self._refresh()

    def watch(self) -> None:
        """Follows the moves of the line that is shown, also those made by a cell."""
        if not self._watched:  # events are those of all lines of a walk
            self.stepper.on_event(self._pauses)
            self.stepper.on_step(self._follow_run)
        if self.stepper not in self._watched:
            self._watched.add(self.stepper)
            self.stepper.on_move(self._follow)

    def view(self) -> JsonObject:
        """Returns what is drawn, as JSON."""
        is_here = self._call is not None and self._call[0] is self.stepper.now
        call = self._call[1] if self._call is not None and is_here else None
        return {
            **widget_view(self.stepper, compared=self._compared, call=call),
            "refusal": self._refusal,
            "compared": self._compared,
            # The browser counts its messages: it shows "working…" until this number is reached.
            "handled": self._handled,
        }

    def _do(self, message: Message) -> None:
        action = str(message.get("action", ""))
        if action == "fork":
            self._show_line(self.stepper.fork(str(message.get("name") or "") or None))
        elif action == "undo":
            self._show_line(self.stepper.undo())
        elif action == "redo":
            self._show_line(self.stepper.redo())
        elif action == "open":
            self._open(str(message["path"]).strip())
        elif action == "line":
            self._show_line(newest_of(self.stepper.forks[str(message["name"])]))
        elif action == "compare":
            self._compared = str(message["name"])
        elif action == "model_call":
            self._call = (self.stepper.now, number_in(message, "number"))
        elif action in ACTIONS:
            ACTIONS[action](self.stepper, message)

    def _open(self, path: str) -> None:
        """Shows a saved walk in the place of this one, which is not closed: it may be in use."""
        self._watched.clear()
        stepper = self.stepper
        self._show_line(type(stepper).open(path, stepper.graph, context=stepper.context))

    def _show_line(self, line: Stepper) -> None:
        self.stepper = line
        self.watch()

    def _follow_run(self) -> None:
        """Lets the page show where a run is. Called on the loop that runs it."""
        if not self._is_following:
            self._is_following = True
            asyncio.get_running_loop().call_later(_QUICK_S, self._tell_where)

    def _tell_where(self) -> None:
        self._is_following = False
        if self._lock.locked():  # or the run is over, and drawn
            self._pauses.tell_again()

    def _follow(self) -> None:
        # A button's own move is drawn when it is over.
        if not self._lock.locked():
            self._pauses.end()
            self._refusal = {"field": "", "text": ""}
            self._refresh()
