"""The line at the bottom of the full screen where the argument of a key is typed."""

from collections.abc import Iterable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.suggester import SuggestFromList
from textual.widgets import Input, Label

__all__ = ["Prompt"]


class Prompt(Horizontal):
    """Asks for the argument of one key, with a history for each key.

    Enter hands it over, escape leaves; up and down go through what was typed before.
    """

    DEFAULT_CSS = """
    Prompt { height: 1; display: none; }
    Prompt.-open { display: block; }
    Prompt Label { padding: 0 1; text-style: bold; }
    Prompt Input, Prompt Input:focus { border: none; height: 1; padding: 0; width: 1fr;
        background: transparent; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", show=False),
        Binding("up", "recall(-1)", show=False),
        Binding("down", "recall(1)", show=False),
    ]

    class Given(Message):
        """The argument of a key was typed."""

        def __init__(self, key: str, argument: str) -> None:
            super().__init__()
            self.key, self.argument = key, argument

    def __init__(self) -> None:
        super().__init__()
        self._key = ""
        self._histories: dict[str, list[str]] = {}
        self._place = 0

    def compose(self) -> ComposeResult:
        """Yields the label and the field."""
        yield Label()
        yield Input(select_on_focus=False)

    @property
    def is_open(self) -> bool:
        """Whether an argument is being typed."""
        return self.has_class("-open")

    def ask(self, key: str, label: str, *, text: str = "", known: Iterable[str] = ()) -> None:
        """Opens the field, with `text` in it; `known` are offered as the text is typed."""
        self._key = key
        self._place = len(self._history)
        self.query_one(Label).update(label)
        field = self.query_one(Input)
        field.suggester = SuggestFromList(list(known), case_sensitive=False)
        field.value = text
        field.cursor_position = len(text)
        self.add_class("-open")
        field.focus()

    def action_leave(self) -> None:
        """Closes the field."""
        self.remove_class("-open")
        self.screen.set_focus(None)

    def action_recall(self, direction: int) -> None:
        """Shows an earlier or later argument of the same key."""
        history = self._history
        self._place = max(0, min(len(history), self._place + direction))
        field = self.query_one(Input)
        field.value = history[self._place] if self._place < len(history) else ""
        field.cursor_position = len(field.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Hands the argument over."""
        event.stop()
        argument = event.value.strip()
        if argument and argument not in self._history[-1:]:
            self._history.append(argument)
        self.action_leave()
        self.post_message(self.Given(self._key, argument))

    @property
    def _history(self) -> list[str]:
        return self._histories.setdefault(self._key, [])
