"""The part of the full screen that shows a stepper: first line, graph, panes and notices."""

from collections.abc import Iterator
from typing import ClassVar, Final

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import OptionList, Static, Tab, Tabs

from turngraph.drawing.marks import Mark
from turngraph.drawing.whole_graph import whole_graph
from turngraph.interfaces.plain_text import one_line, printable
from turngraph.interfaces.stepper.engine.retry_pauses import RetryPause
from turngraph.interfaces.stepper.engine.stepper import Stepper
from turngraph.interfaces.stepper.views.page import graph_shown
from turngraph.interfaces.stepper.views.panes import pane_of
from turngraph.interfaces.stepper.views.status import node_statuses, problems_of
from turngraph.interfaces.terminal.rendering import (
    MARK_STYLES,
    graph_list,
    graph_picture,
    pane_content,
)
from turngraph.interfaces.terminal.view import (
    PANE_NAMES,
    headline_text,
    next_text,
    timeline_texts,
)

__all__ = ["StepperView"]

_NARROW: Final = 80
"""From this many columns on, the list of nodes stands beside the panes, not above them."""
_WIDE: Final = 116
"""From this many columns on, there is room for the picture of the graph."""
_NOTICE_WIDTH: Final = 600


class _Pane(VerticalScroll, inherit_bindings=False):
    """Scrolls up and down; left and right lead to the panes beside it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "scroll_up", show=False),
        Binding("down", "scroll_down", show=False),
        Binding("pageup", "page_up", show=False),
        Binding("pagedown", "page_down", show=False),
        Binding("home", "scroll_home", show=False),
        Binding("end", "scroll_end", show=False),
    ]


class StepperView(Vertical):
    """Shows where a stepper stands. It is told what to draw, and decides nothing."""

    def __init__(self, stepper: Stepper, pane: str, *, dark: bool) -> None:
        super().__init__()
        self._stepper, self._first_pane, self._dark = stepper, pane, dark
        self._is_moving = False
        self._pauses: tuple[RetryPause, ...] = ()

    def compose(self) -> ComposeResult:
        """Yields the parts."""
        yield Static(id="headline")
        with Horizontal(id="body"):
            with VerticalScroll(id="graph", can_focus=False):
                yield Static(id="graph-content")
            with Vertical(id="right"):
                yield from self._compose_panes()
        yield Static(id="notice")

    def _compose_panes(self) -> Iterator[Static | Tabs | _Pane | OptionList]:
        yield Static(id="next")
        yield Static(id="banner")
        tabs = Tabs(*(Tab(name, id=name) for name in PANE_NAMES), active=self._first_pane)
        tabs.can_focus = False
        yield tabs
        with _Pane(id="pane"):
            yield Static(id="pane-content")
        yield OptionList(id="steps")

    def on_resize(self, event: events.Resize) -> None:
        """Draws the graph as the new width allows."""
        width = event.size.width
        self.set_class(width < _NARROW, "-narrow")
        self._draw_graph()

    def draw(self, stepper: Stepper, pane: str, compared: str | None, *, focus: bool) -> None:
        """Shows where `stepper` stands, with one of its panes.

        Args:
            stepper: what is shown.
            pane: the name of the pane.
            compared: the line that the pane `compare` shows beside this one.
            focus: whether keys that scroll are for the pane from now on.
        """
        self._stepper = stepper
        # In the pane `answer`, an error stands in the place of the answer already.
        in_place = pane == "answer" and pane_of(stepper, pane).mark == "failed"
        self._draw_banner(hides_problem=in_place)
        with self.prevent(Tabs.TabActivated):  # only the person's own choice is one
            self.query_one(Tabs).active = pane
        self.set_class(pane == "timeline", "-timeline")
        if pane == "timeline":
            self._draw_timeline()
        else:
            style = MARK_STYLES["failed"] if in_place else ""
            content = pane_content(pane_of(stepper, pane, compared), dark=self._dark, style=style)
            self.query_one("#pane-content", Static).update(content)
            self.query_one("#pane").scroll_home(animate=False)
        self.query_one("#next", Static).update(next_text(stepper))
        if focus:
            self.query_one("#steps" if pane == "timeline" else "#pane").focus()
        self._draw_graph()

    def set_moving(self, *, is_moving: bool) -> None:
        """Shows whether a move is under way."""
        self._is_moving = is_moving
        self._draw_graph()

    def show_pauses(self, pauses: tuple[RetryPause, ...]) -> None:
        """Shows which calls to the model wait before they are sent again."""
        self._pauses = pauses
        self._draw_banner(hides_problem=False)
        self._draw_graph()

    def say(self, text: str, style: str = "") -> None:
        """Shows a sentence below the panes; an empty one removes it."""
        notice = self.query_one("#notice", Static)
        notice.update(Text(one_line(text, _NOTICE_WIDTH), style))
        notice.set_class(bool(text), "-shown")

    def _draw_banner(self, *, hides_problem: bool) -> None:
        question = pane_of(self._stepper, "question").text
        problem = printable("\n".join(problems_of(self._stepper)))
        pauses = printable("\n".join(map(str, self._pauses)))
        banner = self.query_one("#banner", Static)
        banner.update(Text(pauses or problem or question))
        banner.set_class(bool(problem) and not (pauses or hides_problem), "-failed")
        banner.set_class(bool(pauses or question), "-waiting")

    def _draw_graph(self) -> None:
        under_way: Mark | None = "retrying" if self._pauses else "running"
        under_way = under_way if self._is_moving else None
        statuses = node_statuses(self._stepper, under_way or "next")
        graph = whole_graph(graph_shown(self._stepper))
        if self.size.width >= _WIDE:
            picture = graph_picture(graph, statuses)
        else:
            separator = "  " if self.size.width < _NARROW else "\n"
            picture = graph_list(graph, statuses, separator=separator)
        self.query_one("#graph-content", Static).update(picture)
        headline = headline_text(self._stepper, under_way)
        self.query_one("#headline", Static).update(headline)

    def _draw_timeline(self) -> None:
        timeline = self.query_one(OptionList)
        timeline.set_options(timeline_texts(self._stepper))
        timeline.highlighted = len(self._stepper.steps_so_far) - 1
