"""The stepper as a full-screen program, by Textual: graph, panes and keys of the widget.

It draws with the terminal's own colors, so it fits light and dark ones.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, ClassVar, Final

from textual import events
from textual.app import App, ComposeResult, SuspendNotSupported
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Footer, OptionList, Tabs

from turngraph.interfaces.stepper.engine.retry_pauses import RetryPause, RetryPauses
from turngraph.interfaces.stepper.engine.stepper import Stepper
from turngraph.interfaces.terminal.editor import edit_text
from turngraph.interfaces.terminal.keys import (
    EDITED,
    KEYS,
    VIEW_KEYS,
    find_line,
    shown_by,
    unknown_key,
)
from turngraph.interfaces.terminal.prompt import Prompt
from turngraph.interfaces.terminal.screens import EditorScreen, HelpScreen
from turngraph.interfaces.terminal.stepper_view import StepperView
from turngraph.interfaces.terminal.suggestions import draft_for, known_for
from turngraph.interfaces.terminal.view import PANE_NAMES, pane_that_matters
from turngraph.state.errors import TurngraphError

__all__ = ["StepperApp"]

_STOPPED: Final = "Stopped. What was sent may have been answered, and billed."
_RUNNING: Final = "A move is running. esc stops it."
_IN_FOOTER: Final = frozenset("siobrue")
_VIEW_PROMPTS: Final = {"l": "line", "c": "compare with line", "p": "pane", "O": "file"}


class StepperApp(App[None]):
    """Shows a stepper and obeys single keys, some of which show another line or another walk.

    Args:
        stepper: what is shown; whoever opened it closes it.
        dark: whether the terminal is dark.
        editor: the command of the person's editor; without one the program has its own.
    """

    CSS_PATH = "full_screen.tcss"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        # First, so that the narrowest screen shows it.
        Binding("question_mark", "help", "Keys", key_display="?"),
        *(
            Binding(key, f"press('{key}')", known.label, show=key in _IN_FOOTER)
            for key, known in KEYS.items()
        ),
        *(Binding(key, f"press('{key}')", show=False) for key in (*_VIEW_PROMPTS, "z", "y")),
        Binding("enter", "press('s')", show=False),
        Binding("f", "fork", "Fork"),
        Binding("left", "neighbor(-1)", show=False),
        Binding("right", "neighbor(1)", show=False),
        Binding("escape", "stop", show=False),
        Binding("q", "quit", "Quit"),
    ]

    class PausesChanged(Message):
        """Calls to the model wait before they are sent again, or go on."""

        def __init__(self, pauses: tuple[RetryPause, ...]) -> None:
            super().__init__()
            self.pauses = pauses

    def __init__(self, stepper: Stepper, *, dark: bool = True, editor: Sequence[str] = ()) -> None:
        super().__init__()
        self.theme = "ansi-dark" if dark else "ansi-light"
        self.stepper = stepper
        self._editor = editor
        self._chosen: str | None = None
        """The pane that the person chose; without one the screen follows the turn."""
        self._compared: str | None = None
        self._moving = False
        self._drafts: dict[str, str] = {}
        """What was edited and refused, by its key: the editor opens with it again."""
        self._pauses = RetryPauses(lambda pauses: self.post_message(self.PausesChanged(pauses)))
        stepper.on_event(self._pauses)
        # Kept here, because while another screen lies over them no query finds them.
        self._view, self._prompt = StepperView(stepper, self._pane, dark=dark), Prompt()

    def compose(self) -> ComposeResult:
        """Yields the parts of the screen."""
        yield self._view
        yield self._prompt
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Shows the step where the stepper stands."""
        self._draw()

    def on_key(self, event: events.Key) -> None:
        """Says so if a key does nothing."""
        typed = event.character or ""
        # This is called for keys with a binding too.
        if typed.strip() and event.is_printable and typed not in {*KEYS, *VIEW_KEYS}:
            self._say(unknown_key(typed), "red")

    async def action_press(self, key: str) -> None:
        """Obeys a key, or asks for its argument first."""
        label = _VIEW_PROMPTS.get(key) or (KEYS[key].argument if key in KEYS else "")
        if not label:
            self._carry_out(key, "")
            return
        text, known = draft_for(key, self.stepper), known_for(key, self.stepper)
        self._prompt.ask(key, f"{key} {label}:", text=text, known=known)

    def on_prompt_given(self, given: Prompt.Given) -> None:
        """Obeys a key whose argument was typed."""
        if given.key in EDITED and not given.argument:
            self._open_editor(given.key)
        else:
            self._carry_out(given.key, given.argument)

    def on_stepper_app_pauses_changed(self, changed: PausesChanged) -> None:
        """Says why a call to the model waits."""
        self._view.show_pauses(changed.pauses)

    def action_fork(self) -> None:
        """Begins another line of the run here, and shows it."""
        self._start(self._fork)

    def action_neighbor(self, direction: int) -> None:
        """Shows the pane before or after this one."""
        place = PANE_NAMES.index(self._pane) + direction
        self._choose(PANE_NAMES[place % len(PANE_NAMES)])

    def action_stop(self) -> None:
        """Stops what runs. If nothing runs, the screen follows the turn again."""
        if self._moving:
            self.workers.cancel_group(self, "move")
            return
        self._chosen = None
        self._say("")
        self._draw()

    def action_help(self) -> None:
        """Lists the keys."""
        self.push_screen(HelpScreen())

    def on_tabs_tab_activated(self, event: Tabs.TabActivated) -> None:
        """Shows the pane that was clicked."""
        if event.tab.id is not None and event.tab.id != self._pane:
            self._choose(event.tab.id)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Goes to the step that was chosen in the timeline."""
        self._carry_out("j", str(event.option_index))

    @property
    def _pane(self) -> str:
        return self._chosen or pane_that_matters(self.stepper)

    def _choose(self, pane: str) -> None:
        self._chosen = pane
        self._draw()

    def _carry_out(self, key: str, argument: str) -> None:
        if key == "p":
            self._refused(lambda: self._choose(_known_pane(argument)))
        elif key in ("l", "z", "y", "O"):
            self._refused(lambda: self._show(key, argument))
        elif key == "c":
            self._refused(lambda: self._compare(argument))
        else:
            self._start(lambda: KEYS[key].move(self.stepper, argument))

    def _refused(self, change: Callable[[], None]) -> None:
        """Changes what is shown; a refusal is told."""
        try:
            change()
        except (TurngraphError, ValueError) as exc:
            self._say(str(exc), "red")

    def _show(self, key: str, argument: str) -> None:
        if self._moving:
            self._say(_RUNNING, "yellow")
            return
        self.stepper = shown_by(key, self.stepper, argument)
        if key == "O":  # another walk
            self.stepper.on_event(self._pauses)
        self._say("")
        self._draw()

    def _compare(self, name: str) -> None:
        self._compared = find_line(self.stepper, name).name
        self._choose("compare")

    async def _fork(self) -> None:
        self.stepper = await self.stepper.afork()

    def _start(self, move: Callable[[], Coroutine[Any, Any, object]]) -> None:
        """Runs a move while the screen stays alive; one at a time."""
        if self._moving:
            self._say(_RUNNING, "yellow")
            return
        self._moving = True
        self._say("")
        self._view.set_moving(is_moving=True)
        self.run_worker(self._run(move), group="move", exit_on_error=False)

    async def _run(self, move: Callable[[], Coroutine[Any, Any, object]]) -> None:
        try:
            await move()
            self._drafts.clear()
        except asyncio.CancelledError:
            self._say(_STOPPED, "yellow")
            raise
        except Exception as exc:  # noqa: BLE001  a value of the user's own graph may raise anything
            self._say(str(exc) or type(exc).__name__, "red")
        finally:
            self._moving = False
            self._pauses.end()
            self._view.set_moving(is_moving=False)
            self._draw()

    def _open_editor(self, key: str) -> None:
        text = EDITED[key](self.stepper)
        if not text:
            self._carry_out(key, "{}")  # is refused, with the sentence that says why
            return
        text = self._drafts.get(key, text)

        def edited(after: str | None) -> None:
            self._use_edited(key, after)

        if not self._editor:
            self.push_screen(EditorScreen(text), edited)
            return
        try:
            with self.suspend():
                after = edit_text(text, self._editor)
        except SuspendNotSupported:
            self.push_screen(EditorScreen(text), edited)
        except ValueError as exc:
            self._say(str(exc), "red")
        else:
            edited(after)

    def _use_edited(self, key: str, text: str | None) -> None:
        if text is None or text == EDITED[key](self.stepper):
            self._say("Nothing was changed.")
            return
        self._drafts[key] = text
        self._start(lambda: KEYS[key].move(self.stepper, text))

    def _say(self, text: str, style: str = "") -> None:
        self._view.say(text, style)

    def _draw(self) -> None:
        self._view.draw(self.stepper, self._pane, self._compared, focus=not self._prompt.is_open)


def _known_pane(name: str) -> str:
    """Returns `name`. Raises ValueError that lists the panes if there is none of that name."""
    if name not in PANE_NAMES:
        raise ValueError(f"There is no pane `{name}`. There are: {', '.join(PANE_NAMES)}.")
    return name
