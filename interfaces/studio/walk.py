"""A walk: one run that is stepped through, shown by any number of pages."""

import json
import secrets
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, Final, Self, TypeVar
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler

from turngraph.interfaces.plain_text import printable
from turngraph.interfaces.stepper.engine.retry_pauses import RetryPause
from turngraph.interfaces.stepper.engine.stepper import Stepper
from turngraph.interfaces.stepper.views.actions import Message
from turngraph.interfaces.stepper.views.cost import cost_text
from turngraph.interfaces.stepper.views.panes import step_now
from turngraph.interfaces.stepper.views.status import turn_mark
from turngraph.interfaces.stepper.views.widget_controller import WidgetController
from turngraph.interfaces.stepper.views.widget_view import pauses_view, widget_choices
from turngraph.interfaces.studio.live import Audience, Listener
from turngraph.interfaces.studio.rules import Rules
from turngraph.interfaces.studio.titles import title_of
from turngraph.interfaces.user_graphs.context import context_or_defaults
from turngraph.interfaces.user_graphs.loading import Graph
from turngraph.state.errors import TurngraphError, TurnInvocationError
from turngraph.state.events import AnyEvent, RequestSent, Token
from turngraph.state.json_types import JsonObject

__all__ = ["SharedWalk"]

T = TypeVar("T")

LOOKING: Final = frozenset(("back", "jump", "line", "compare", "model_call"))
"""The messages that change nothing but what is shown."""


class _ModelTokens(BaseCallbackHandler):
    """Hears the tokens of LangChain models that stream. It makes no model stream."""

    run_inline = True

    tell: Callable[[str, str], None]

    def on_llm_new_token(self, token: Any, *, run_id: UUID, **kwargs: Any) -> None:
        """Passes the token on; some models send lists of parts instead, and empty strings."""
        if isinstance(token, str) and token:
            self.tell(str(run_id), token)


class SharedWalk:
    """A run with its pages. Its moves run one after another, on a thread of their own.

    Args:
        graph_name: the name of the graph in the catalog.
        stepper: the line that is shown first.
        thread: the id of the stored thread that it began with, or None.
    """

    def __init__(self, graph_name: str, stepper: Stepper, thread: str | None = None) -> None:
        self.id: Final = secrets.token_urlsafe(12)
        self.graph_name, self.thread = graph_name, thread
        self.started_at: Final = datetime.now(UTC)
        self.title: Final = title_of(stepper)
        self.audience: Final = Audience()
        self.note = ""
        """What is to be said beside the view: that it was stopped, or its graph loaded again."""
        self.problem = ""
        """Why the file of its graph cannot be loaded now; the graph from before goes on."""
        self.guard = Rules().guard
        """The block in which each move is made."""
        self.is_for_looking = False
        """Whether someone opened it who may only look: such a person may move along its steps."""
        self._handled: Counter[str] = Counter()  # messages that were handled, by page
        self._moves = ThreadPoolExecutor(1, thread_name_prefix="turngraph-studio")
        self._waiting_moves, self._count_lock = 0, threading.Lock()
        self._generation = 0  # moves of an earlier one were stopped
        self.stepper: Final = stepper
        self._pauses: tuple[RetryPause, ...] = ()
        stepper.on_event(self._on_event)
        self._controller = WidgetController(stepper, self._refresh, self._tell_pauses)
        self._controller.watch()
        self._view = self._view_text()

    @classmethod
    def begin(
        cls,
        graph_name: str,
        graph: Graph,
        input: object,
        thread: str | None,
        context: object,
        configurable: Mapping[str, Any],
    ) -> Self:
        """Begins a walk.

        Args:
            graph_name: the name of the graph in the catalog.
            graph: the graph.
            input: the graph's input; None goes on with the thread, or looks at its last run.
            thread: the id of a stored thread, or None.
            context: what the graph's nodes read from `runtime.context`, or None for its defaults.
            configurable: what the run has in its `configurable`, beside the thread.

        Raises TurnValueError for a context that does not fit the graph, and what the graph raises
        for a wrong input.
        """
        tokens = _ModelTokens()
        named = {} if thread is None else {"thread_id": thread}
        # A thread can be looked at without any.
        if input is not None or context:
            context = context_or_defaults(graph, context)
        config = {"configurable": {**configurable, **named}, "callbacks": [tokens]}
        stepper = Stepper(graph, input, config, context=context)
        walk = cls(graph_name, stepper, thread)
        tokens.tell = walk._tell_token
        return walk

    @property
    def line(self) -> Stepper:
        """The line that is shown."""
        return self._controller.stepper

    def summary(self) -> JsonObject:
        """Returns what a list of walks shows."""
        return {
            "id": self.id,
            "graph": self.graph_name,
            "thread": self.thread,
            "started": self.started_at.isoformat(timespec="seconds"),
            "status": turn_mark(self.line),
            "title": self.title,
            "at": step_now(self.line),
            "cost": cost_text(self.line),
            "note": self.note,
        }

    def choices(self) -> JsonObject:
        """Returns what the widget offers at every step."""
        return {**widget_choices(self.stepper), "page": self.id, "files": False}

    def move(self, client: str, message: Message) -> None:
        """Does what a button of a page asks, after the moves that were asked for before.

        Raises TurnInvocationError for a message that names a file of this machine.
        """
        if message.get("action") in ("save", "open"):
            raise TurnInvocationError("In the studio a run is saved and opened by the browser.")
        generation = self._generation
        self._submit(lambda: self._act(client, message, generation))

    def look(self, work: Callable[[Stepper], T]) -> "Future[T]":
        """Returns the result of `work` on the line that is shown, between two moves."""
        return self._moves.submit(lambda: work(self.line))

    def check_looking(self, message: Message) -> None:
        """Raises TurnInvocationError for a message that someone who may only look must not send."""
        if not self.is_for_looking:
            raise TurnInvocationError(
                "You may look at this run but not move it: it is someone else's. Open a thread."
            )
        action = message.get("action")
        if not isinstance(action, str) or action not in LOOKING:
            raise TurnInvocationError(
                "You may look at this run but not change it: back, the timeline, lines and "
                "comparisons work here."
            )

    def stop(self) -> None:
        """Stops the move that is under way, and drops those that wait for their turn."""
        self._generation += 1
        self.stepper.stop()

    def reload(self, graph: Graph) -> "Future[None]":
        """Goes on with a new version of the graph, if its nodes are the same; `note` says what came
        of it.
        """
        self.tell_problem("")
        return self._submit(lambda: self._reload(graph))

    def tell_problem(self, text: str) -> None:
        """Tells every page that the file of the graph cannot be loaded; empty once it is mended."""
        self.problem = text
        if text:
            self._tell_note("")
        self.audience.tell("problem", json.dumps(text))

    def show_to(self, listener: Listener) -> None:
        """Tells a page that has just been opened everything."""
        listener.tell("handled", json.dumps(self._handled[listener.client]))
        listener.tell("note", json.dumps(self.note))
        listener.tell("problem", json.dumps(self.problem))
        listener.tell("view", self._view)
        if self._pauses:
            listener.tell("pauses", json.dumps(pauses_view(self.line, self._pauses)))
        listener.tell("moving", json.dumps(self._waiting_moves > 0))

    def close(self) -> None:
        """Ends the walk and closes its connections; its pages are told."""
        self.audience.tell("closed", "true")
        self.audience.end()
        self._moves.shutdown(wait=False, cancel_futures=True)
        self.stop()
        self.stepper.close()

    def _submit(self, work: Callable[[], None]) -> "Future[None]":
        self._count(1)

        def run() -> None:
            try:
                work()
            finally:
                self._count(-1)

        return self._moves.submit(run)

    def _count(self, change: int) -> None:
        with self._count_lock:
            self._waiting_moves += change
            self.audience.tell("moving", json.dumps(self._waiting_moves > 0))

    def _act(self, client: str, message: Message, generation: int) -> None:
        self._handled[client] += 1
        self._tell_note("")
        try:
            if generation != self._generation:
                raise CancelledError
            with self.guard(self.line, message):
                self._controller.act(message)  # ends in `_refresh`
        except Exception as exc:  # noqa: BLE001  the user's graph may raise anything
            self._tell_note(_sentence(exc))
            self._refresh()

    def _reload(self, graph: Graph) -> None:
        try:
            self.stepper.reload(graph)
            self._tell_note("The graph was loaded again; this run goes on with the new one.")
        except TurngraphError as exc:
            self._tell_note(str(exc))
        except Exception as exc:  # noqa: BLE001  the new graph may raise anything
            self._tell_note(
                f"This run goes on with the graph from before. {type(exc).__name__}: {exc}"
            )
        self.audience.tell("choices", json.dumps(self.choices()))
        self._refresh()

    def _tell_note(self, text: str) -> None:
        self.note = printable(text)
        self.audience.tell("note", json.dumps(self.note))

    def _refresh(self) -> None:
        self._view = self._view_text()
        for listener in self.audience:
            listener.tell("handled", json.dumps(self._handled[listener.client]))
            listener.tell("view", self._view)

    def _view_text(self) -> str:
        return json.dumps(self._controller.view())

    def _on_event(self, event: AnyEvent) -> None:
        if isinstance(event, Token) and event.kind == "text":
            self._tell_token(event.turn_id, event.text)
        elif isinstance(event, RequestSent):
            self._tell_token(event.turn_id, "\n\n")  # the answer to another request begins

    def _tell_pauses(self, pauses: tuple[RetryPause, ...]) -> None:
        self._pauses = pauses
        self.audience.tell("pauses", json.dumps(pauses_view(self.line, pauses)))

    def _tell_token(self, call: str, text: str) -> None:
        for listener in self.audience:
            listener.tell_token(call, text)


def _sentence(error: Exception) -> str:
    if isinstance(error, CancelledError):
        return "Stopped. What was running runs again with the next step."
    return f"{type(error).__name__}: {error}"
