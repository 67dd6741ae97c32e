"""The stepper without a view: it moves through a graph one stage at a time and can be looked at."""

from collections.abc import Callable, Mapping
from typing import Any, Final, NoReturn, Self

from turngraph.interfaces.stepper.engine.background import BackgroundLoop
from turngraph.interfaces.stepper.engine.breakpoints import Breakpoint
from turngraph.interfaces.stepper.engine.edits import EditRequest, edit_from
from turngraph.interfaces.stepper.engine.history import history_steps
from turngraph.interfaces.stepper.engine.moves import LineState, fork_name
from turngraph.interfaces.stepper.engine.reloading import missing_nodes, reload_timelines
from turngraph.interfaces.stepper.engine.session import Session
from turngraph.interfaces.stepper.engine.steps import Step
from turngraph.interfaces.stepper.engine.stop_names import check_name
from turngraph.interfaces.stepper.engine.storable_line import StorableLine
from turngraph.interfaces.stepper.engine.stored_thread import check_reachable
from turngraph.interfaces.stepper.engine.task_controller import Graph
from turngraph.interfaces.stepper.engine.timeline import Until, stop_condition
from turngraph.state.argument_kinds import Kind, check_kinds, is_a, is_text, list_of, or_none
from turngraph.state.errors import TurnInvocationError
from turngraph.state.events import AnyEvent
from turngraph.state.request import ChatRequest

__all__ = ["Stepper"]

_BREAKPOINTS: Final = Kind(
    list_of(is_a(Breakpoint)), "a list of breakpoints: `breakpoints=[Breakpoint('call_llm')]`"
)
_FORK_NAME: Final = Kind(or_none(is_text), "a text")


class Stepper(StorableLine):
    """Steps through `graph`. It stands before the first node and moves when it is told to.

    `TurnStepper` is this class with a view; see there for the arguments.
    """

    def __init__(
        self,
        graph: Graph,
        input: object = None,
        thread: str | Mapping[str, Any] | None = None,
        *,
        breakpoints: tuple[Breakpoint, ...] = (),
        context: object = None,
    ) -> None:
        check_kinds({"breakpoints": _BREAKPOINTS}, {"breakpoints": breakpoints})
        if thread is not None:
            check_reachable(graph)
        session, loop = Session(graph, thread, context), BackgroundLoop()
        steps = loop.run(session.open(input, thread))
        self._begin(graph, session, steps, loop)
        if thread is not None:
            self._remember_thread_end()
        self.breakpoints.extend(breakpoints)

    def __reduce__(self) -> NoReturn:
        raise TurnInvocationError(
            "A stepper runs its graph in a thread of its own, so it is neither copied nor pickled. "
            "`fork` begins another line, and `save` writes its walk to a file."
        )

    @classmethod
    def attach(
        cls,
        graph: Graph,
        thread_id: str | Mapping[str, Any],
        *,
        turn: str | int = -1,
        context: object = None,
    ) -> Self:
        """Opens a finished turn of a stored thread, into its subgraphs. Nothing runs for it.

        The stepper stands at the turn's end. `back`, `jump` and `diff` look at its steps; after
        `fork` or `edit` the graph runs, and calls the model, on a line of its own.

        Args:
            graph: the graph whose checkpointer stores the thread.
            thread_id: the thread's id or a LangGraph configuration. After time travel, a
                `checkpoint_id` in the configuration chooses the run that ends with it.
            turn: the turn's id, or its number: from 0 for the first turn, from -1 for the last.
            context: what the nodes read from `runtime.context` when the graph runs again.

        Raises TurnInvocationError if the thread or the turn does not exist.
        """
        check_reachable(graph)
        session = Session(graph, thread_id, context)
        given = {} if isinstance(thread_id, str) else thread_id.get("configurable", {})
        end = given.get("checkpoint_id")
        steps = history_steps(graph, session.saver.thread_id, turn, end)
        # `__init__` would go on with the thread instead of looking back.
        stepper = cls.__new__(cls)
        stepper._begin(graph, session, steps, BackgroundLoop())
        stepper._remember_thread_end()
        return stepper

    def step(self) -> Step:
        """Runs the next stage: a subgraph is entered, parallel calls run together.

        After `back`, the known steps are replayed: nothing runs.
        """
        return self._run("step", self._timeline.step())

    def step_into(self) -> Step:
        """Runs one task, for example one of several tool calls: the smallest step."""
        return self._run("step_into", self._timeline.step_into())

    def step_over(self) -> Step:
        """Runs the next stage; a subgraph runs to its end."""
        return self._run("step_over", self._timeline.step_over())

    def run_until(self, until: Until) -> Step:
        """Steps until `until`, or where `run` stops.

        Args:
            until: a node's name or path (stops before it), an event's type (stops after it), or a
                function of the step that returns True.

        Raises TurnInvocationError for a name that neither a node nor an event has; nothing runs.
        """
        return self._run("run_until", self._run_until(until))

    def run(self) -> Step:
        """Steps to the end, a breakpoint, a failure or a question to a person."""
        return self._run("run", self._timeline.run(lambda step: False, self.breakpoints))

    def back(self, n: int = 1) -> Step:
        """Goes `n` steps back. Nothing runs, and nothing is billed again."""
        with self._walk.moves.recording("back", self):
            self._timeline.back(n)
        return self._notified().now

    def jump(self, step: int) -> Step:
        """Goes to a step of the timeline, earlier or later. Nothing runs."""
        with self._walk.moves.recording("jump", self):
            self._timeline.jump(step)
        return self._notified().now

    def edit(
        self,
        *,
        request: ChatRequest | Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | str | None = None,
        tool: str | None = None,
        arguments: Mapping[str, Any] | str | None = None,
        result: str | None = None,
        **state: object,
    ) -> Step:
        """Changes one thing here; what runs next are new calls.

        Steps ahead are not lost: they stay a line of the old name, and this one becomes a fork with
        a name of its own, such as `fork 1`.

        Args:
            request: fields of the pending request, or a whole one, for the rest of the turn.
            body: the JSON of the pending request, for this request alone.
            tool: a tool's name or a call's id, together with `arguments` or `result`.
            arguments: the arguments that the pending call runs with.
            result: the result that the model is given, for a call that is pending or that ran.
            state: fields of the state: `messages=[…]`, `settings=…`.

        Raises TurnInvocationError if there is nothing of the kind to edit, TurnValueError for a
        wrong value.
        """
        given = EditRequest(request, body, tool, arguments, result, state)
        return self._run("edit", self._edit(given))

    def answer(self, value: object, question: str | None = None) -> Step:
        """Answers what a person is asked (`stepper.now.waiting`).

        Args:
            value: the answer, such as `{"decision": "approve"}`.
            question: the interrupt's id; by default all open questions get the same answer.

        Raises TurnInvocationError if no such question is open.
        """
        return self._run("answer", self._timeline.answer(value, question))

    def retry(self) -> Step:
        """Runs again what ran last. A model call is sent, and billed, again.

        What ran before stays a line of its own, as after `edit`.
        """
        return self._run("retry", self._timeline.retry())

    def fork(self, name: str | None = None) -> Self:
        """Starts another line from here and returns its stepper.

        The line has a lineage of its own: the calls it makes are new calls and are billed.

        Args:
            name: the name of the line; by default `fork 1`, `fork 2`, …

        Raises TurnInvocationError if a line has that name already.
        """
        fork = self._fork_of(name)
        self._run("fork", self._add_fork(fork))
        return fork

    async def astep(self) -> Step:
        """Async version of `step`."""
        return await self._arun("step", self._timeline.step())

    async def astep_into(self) -> Step:
        """Async version of `step_into`."""
        return await self._arun("step_into", self._timeline.step_into())

    async def astep_over(self) -> Step:
        """Async version of `step_over`."""
        return await self._arun("step_over", self._timeline.step_over())

    async def arun_until(self, until: Until) -> Step:
        """Async version of `run_until`."""
        return await self._arun("run_until", self._run_until(until))

    async def arun(self) -> Step:
        """Async version of `run`."""
        return await self._arun("run", self._timeline.run(lambda step: False, self.breakpoints))

    async def aedit(
        self,
        *,
        request: ChatRequest | Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | str | None = None,
        tool: str | None = None,
        arguments: Mapping[str, Any] | str | None = None,
        result: str | None = None,
        **state: object,
    ) -> Step:
        """Async version of `edit`."""
        given = EditRequest(request, body, tool, arguments, result, state)
        return await self._arun("edit", self._edit(given))

    async def aanswer(self, value: object, question: str | None = None) -> Step:
        """Async version of `answer`."""
        return await self._arun("answer", self._timeline.answer(value, question))

    async def aretry(self) -> Step:
        """Async version of `retry`."""
        return await self._arun("retry", self._timeline.retry())

    async def afork(self, name: str | None = None) -> Self:
        """Async version of `fork`."""
        fork = self._fork_of(name)
        await self._arun("fork", self._add_fork(fork))
        return fork

    def reload(self, graph: Graph) -> None:
        """Lets every line go on with `graph`, a new version of its graph. Nothing runs for it.

        What has run stays as it is. `undo` and `redo` reach behind it, unless they would lead to a
        node that `graph` does not have. Raises TurnInvocationError, and changes nothing, if a line
        has run such a node or stands before it.
        """
        walk = self._walk
        lines = [*walk.lines.values(), *walk.moves.undone_lines()]
        walk.loop.run(reload_timelines([line._timeline for line in lines], graph))
        walk.graph = graph
        if missing_nodes(walk.moves.steps(), graph):
            walk.moves.begin_anew(self)
        for line in lines:
            line._notified()

    def on_event(self, watcher: Callable[[AnyEvent], None]) -> None:
        """Calls `watcher` with each event of any line while a step runs. It must return at once."""
        self._timeline.session.event_watchers.append(watcher)

    def stop(self) -> None:
        """Stops the move that is under way on any line; who waits for it gets a CancelledError.

        The stepper stays where it is. What was running runs again with the next move.
        """
        self._walk.loop.cancel()

    def close(self) -> None:
        """Stops the background loop of all lines and closes the connections opened on it.

        The steps can still be looked at.
        """
        self._walk.loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name} {self.now}>"

    async def _run_until(self, until: Until) -> Step:
        if not callable(until):
            check_name(until, self.graph)
        return await self._timeline.run(stop_condition(until), self.breakpoints)

    async def _edit(self, given: EditRequest) -> Step:
        timeline, now = self._timeline, self.now
        state = timeline.session.state(now, now.namespace)
        return await timeline.edit(edit_from(given, now, state))

    def _fork_of(self, name: str | None) -> Self:
        steps = self._timeline.steps_so_far
        check_kinds({"name": _FORK_NAME}, {"name": name}, TurnInvocationError)
        name = name or fork_name(self.forks)
        return self.line_of(name, LineState(steps, len(steps) - 1))

    async def _add_fork(self, fork: Self) -> Step:
        label = fork.name if fork.name.startswith("fork ") else f"fork {fork.name}"
        step = await fork._timeline.renew("fork", label)
        self._walk.moves.add_line(fork, self)
        return step
