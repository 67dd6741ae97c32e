"""The screens that lie over the stepper: the list of keys, and an editor."""

from typing import ClassVar

from rich.table import Table
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Footer, Static, TextArea

from turngraph.interfaces.terminal.keys import KEYS, VIEW_KEYS

__all__ = ["EditorScreen", "HelpScreen"]

_MORE_KEYS = {
    "← →": "the pane before, the next one",
    "↑ ↓": "scroll; in the timeline choose a step, enter goes there",
    "esc": "stop what runs; follow the turn again instead of one pane",
}


class HelpScreen(ModalScreen[None]):
    """Lists every key."""

    DEFAULT_CSS = """
    HelpScreen { align: center middle; }
    HelpScreen VerticalScroll { width: 84; max-width: 96%; max-height: 94%; height: auto;
        border: round $primary; padding: 0 1; background: $background; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,enter,space", "dismiss", "close")
    ]

    def compose(self) -> ComposeResult:
        """Yields the list."""
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
        for key, known in KEYS.items():
            table.add_row(f"[bold cyan]{key}[/]", known.label, known.help)
        for key, text in {**VIEW_KEYS, **_MORE_KEYS}.items():
            table.add_row(f"[bold cyan]{key}[/]", "", text)
        with VerticalScroll():
            yield Static(table)


class EditorScreen(ModalScreen[str | None]):
    """Edits a text where no `$EDITOR` is set. The result is None if the person left."""

    DEFAULT_CSS = """
    EditorScreen { background: $background; }
    EditorScreen TextArea { height: 1fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "use", "use it", priority=True),
        Binding("escape", "leave", "leave it as it was", priority=True),
    ]

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text

    def compose(self) -> ComposeResult:
        """Yields the text and the two keys."""
        yield TextArea(self._text, show_line_numbers=True, tab_behavior="indent")
        yield Footer(show_command_palette=False)

    def action_use(self) -> None:
        """Hands the text over."""
        self.dismiss(self.query_one(TextArea).text)

    def action_leave(self) -> None:
        """Closes the editor."""
        self.dismiss(None)
