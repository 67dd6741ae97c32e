"""`TurnStepper`: walk through a turn, or through any LangGraph graph that holds turns, one stage at
a time.
"""

from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Self

from turngraph.interfaces.stepper.engine.background import BackgroundLoop
from turngraph.interfaces.stepper.engine.breakpoints import Breakpoint
from turngraph.interfaces.stepper.engine.edits import edit_of
from turngraph.interfaces.stepper.engine.history import past_steps
from turngraph.interfaces.stepper.engine.inspector import Inspector
from turngraph.interfaces.stepper.engine.session import Session
from turngraph.interfaces.stepper.engine.steps import Step
from turngraph.interfaces.stepper.engine.stored_thread import Graph, check_reachable
from turngraph.interfaces.stepper.engine.timeline import Timeline, Until, stop_at
from turngraph.state.errors import TurnInvocationError
from turngraph.state.request import ChatRequest

__all__ = ["TurnStepper"]


class TurnStepper(Inspector):
    """A walk through `graph` on `input`: it stands before the first node, and moves when told.

    The walk has checkpoints of its own; a stored thread is only read. Every method that moves has
    an awaited twin, `a` before its name. Both may be called from any thread, in or out of an event
    loop.

    Args:
        graph: a turn, or any compiled LangGraph graph that holds turns.
        input: what the graph is given; None goes on with an unfinished `thread`.
        thread: a thread's id, or a configuration; its conversation is what the turn begins with.
        breakpoints: where `run` stops by itself.

        >>> from turngraph.graphs import chat_turn
        >>> from turngraph.providers import ProviderConfig
        >>> from turngraph.scripted import ScriptedModel
        >>> with ScriptedModel() as model:
        ...     turn = chat_turn(ProviderConfig(model="m", base_url=model.base_url), functions=["calculator"])
        ...     stepper = TurnStepper(turn, {"messages": [("user", "What is 6 * 7?")]})
        ...     stepper.run_until("call_llm").nodes
        ...     stepper.request["model"], len(model.requests)
        ...     stepper.run().finished, stepper.state["result"].tool_runs[0].content
        ('call_llm',)
        ('m', 0)
        (True, '42')
    """

    def __init__(
        self,
        graph: Graph,
        input: Any = None,
        thread: str | Mapping[str, Any] | None = None,
        *,
        breakpoints: tuple[Breakpoint, ...] = (),
    ) -> None:
        if thread is not None:
            check_reachable(graph)
        loop, walk = BackgroundLoop(), Session(graph, thread)
        self._set_up(graph, "main", Timeline(walk, loop.run(walk.open(input, thread))), loop, {})
        self.breakpoints.extend(breakpoints)

    @classmethod
    def attach(
        cls, graph: Graph, thread_id: str | Mapping[str, Any], *, turn: str | int = -1
    ) -> Self:
        """Session a past turn of a stored thread, step by step and into its subgraphs, without
        calling anyone.

        It stands at the turn's end; `back`, `jump`, `diff` look; `fork` and `edit` begin a line
        that may call.

        Args:
            turn: the turn's id; or its place in the thread, from 0, or from the end, -1 for the
            last.

        Raises TurnInvocationError where there is no such thread or turn.
        """
        check_reachable(graph)
        loop, walk = BackgroundLoop(), Session(graph, thread_id)
        stepper = cls.__new__(cls)
        stepper._set_up(
            graph, "main", Timeline(walk, past_steps(graph, walk.saver.thread_id, turn)), loop, {}
        )
        return stepper

    def _set_up(
        self,
        graph: Graph,
        name: str,
        line: Timeline,
        loop: BackgroundLoop,
        forks: "dict[str, Self]",
    ) -> None:
        super().__init__(name, line, loop, forks)
        self.graph = graph
        self.breakpoints: list[Breakpoint] = []
        """Where `run` stops by itself."""
        self._watchers: list[Callable[[], None]] = []

    def step(self) -> Step:
        """Run what is next: a subgraph is entered, parallel calls run together. What was stepped
        back runs nothing.
        """
        return self._run(self._line.step())

    def step_into(self) -> Step:
        """The smallest step: one task, such as one of several tool calls."""
        return self._run(self._line.step_into())

    def step_over(self) -> Step:
        """What is next, whole: a subgraph in one step."""
        return self._run(self._line.step_over())

    def run_until(self, until: Until) -> Step:
        """Step until `until`, or the end: before a node, after an event, or as a function of the
        step says.
        """
        return self._run(self._line.run(stop_at(until), self.breakpoints))

    def run(self) -> Step:
        """Step to the end, or to a breakpoint, a failure, a question to a person."""
        return self._run(self._line.run(lambda step: False, self.breakpoints))

    def back(self, n: int = 1) -> Step:
        """Stand `n` steps earlier. Nothing runs, and nothing is billed again."""
        return self._moved(self._line.back(n))

    def jump(self, step: int) -> Step:
        """Stand at a step of the timeline, behind or ahead."""
        return self._moved(self._line.jump(step))

    def edit(
        self,
        *,
        request: ChatRequest | Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | str | None = None,
        tool: str | None = None,
        arguments: Mapping[str, Any] | str | None = None,
        result: str | None = None,
        **state: Any,
    ) -> Step:
        """Change one thing where the walk stands; what lay ahead is left, and what runs next is
        asked anew.

        Args:
            request: fields of the pending request, or another one, for the rest of the turn. body:
            the very JSON of the pending request, for this request alone. tool: a tool's name or a
            call's id: with `arguments` before it runs, or the `result` that is told. state: fields
            of the state: `messages=[…]`, `settings=…`.

        Raises TurnInvocationError where there is nothing of the kind to edit, TurnValueError for a
        wrong value.
        """
        return self._run(self._edit(request, body, tool, arguments, result, state))

    def answer(self, value: Any, question: str | None = None) -> Step:
        """Decide what a person was asked (`stepper.now.waiting`): all questions alike, or the one
        with that id.
        """
        return self._run(self._line.answer(value, question))

    def retry(self) -> Step:
        """Run again what ran last. A model is asked, and billed, again."""
        return self._run(self._line.retry())

    def fork(self, name: str) -> Self:
        """Another line from here, in a lineage of its own: what it calls is billed once more, in
        that lineage.
        """
        fork = self._forked(name)
        self._loop.run(fork._locked(fork._line.renew("fork", f"fork {name}")))
        return fork

    async def astep(self) -> Step:
        """`step`, awaited."""
        return await self._arun(self._line.step())

    async def astep_into(self) -> Step:
        """`step_into`, awaited."""
        return await self._arun(self._line.step_into())

    async def astep_over(self) -> Step:
        """`step_over`, awaited."""
        return await self._arun(self._line.step_over())

    async def arun_until(self, until: Until) -> Step:
        """`run_until`, awaited."""
        return await self._arun(self._line.run(stop_at(until), self.breakpoints))

    async def arun(self) -> Step:
        """`run`, awaited."""
        return await self._arun(self._line.run(lambda step: False, self.breakpoints))

    async def aedit(
        self,
        *,
        request: ChatRequest | Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | str | None = None,
        tool: str | None = None,
        arguments: Mapping[str, Any] | str | None = None,
        result: str | None = None,
        **state: Any,
    ) -> Step:
        """`edit`, awaited."""
        return await self._arun(self._edit(request, body, tool, arguments, result, state))

    async def aanswer(self, value: Any, question: str | None = None) -> Step:
        """`answer`, awaited."""
        return await self._arun(self._line.answer(value, question))

    async def aretry(self) -> Step:
        """`retry`, awaited."""
        return await self._arun(self._line.retry())

    async def afork(self, name: str) -> Self:
        """`fork`, awaited."""
        fork = self._forked(name)
        await self._loop.arun(fork._locked(fork._line.renew("fork", f"fork {name}")))
        return fork

    def close(self) -> None:
        """End the background loop, and with it the connections opened on it. The past can still be
        looked at.
        """
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._loop.close()

    def show(self) -> Any:
        """The stepper on the screen: the widget, or, without the extra `notebook`, the page it
        shows in a notebook.
        """
        from turngraph.interfaces.stepper.views.widget import widget_for

        return widget_for(self)

    def on_move(self, watcher: Callable[[], None]) -> None:
        """Call `watcher` after every move."""
        self._watchers.append(watcher)

    def _repr_html_(self) -> str:
        from turngraph.interfaces.stepper.views.page import page

        return page(self)

    def __repr__(self) -> str:
        return f"<TurnStepper {self.name} {self.now}>"

    async def _edit(
        self, request: Any, body: Any, tool: str | None, arguments: Any, result: Any, state: Any
    ) -> Step:
        values = self._line.walk.values(self.now, self.now.space)
        edit = edit_of(self.now, values, request, body, tool, arguments, result, state)
        return await self._line.edit(edit)

    def _forked(self, name: str) -> Self:
        if name in self.forks:
            raise TurnInvocationError(f"There is a line `{name}` already: {', '.join(self.forks)}.")
        fork = type(self).__new__(type(self))
        walk = Session(self.graph, self._line.walk.config)
        fork._set_up(self.graph, name, Timeline(walk, self._line.behind), self._loop, self.forks)
        fork.breakpoints.extend(self.breakpoints)
        return fork

    def _run(self, work: Coroutine[Any, Any, Step]) -> Step:
        return self._moved(self._loop.run(self._locked(work)))

    async def _arun(self, work: Coroutine[Any, Any, Step]) -> Step:
        return self._moved(await self._loop.arun(self._locked(work)))

    def _moved(self, step: Step) -> Step:
        for watcher in self._watchers:
            watcher()
        return step
