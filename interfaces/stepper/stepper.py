"""`TurnStepper`: walk through a turn, or through any LangGraph graph that holds turns, one stage at a time."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from decimal import Decimal
from typing import Any, Self, TypeVar
from weakref import WeakKeyDictionary

from turngraph.interfaces.stepper.background import BackgroundLoop
from turngraph.interfaces.stepper.breakpoints import Breakpoint
from turngraph.interfaces.stepper.differences import Comparison, Differences, diff_states
from turngraph.interfaces.stepper.edits import Edit, edit_body, edit_request, edit_state, edit_tool
from turngraph.interfaces.stepper.line import Line, Stop
from turngraph.interfaces.stepper.past import past_steps
from turngraph.interfaces.stepper.steps import Step
from turngraph.interfaces.stepper.walk import Graph, Walk
from turngraph.interfaces.stepper.wire import WireRequest, request_of
from turngraph.state.errors import TurnInvocationError
from turngraph.state.events import TurnEvent
from turngraph.state.reply import ProviderReply
from turngraph.state.request import ChatRequest
from turngraph.state.result import Charge

__all__ = ["TurnStepper"]

T = TypeVar("T")
Until = str | Stop


class TurnStepper:
    """A walk through `graph` on `input`: it stands before the first node, and moves when told.

    The walk has checkpoints of its own; a stored thread is only read. Every method that moves has an awaited twin, `a`
    before its name. Both may be called from any thread, in or out of an event loop.

    Args:
        graph: a turn, or any compiled LangGraph graph that holds turns.
        input: what the graph is given; None goes on with an unfinished `thread`.
        thread: a thread's id, or a configuration; its conversation is what the turn begins with.
        breakpoints: where `run` stops by itself.

        >>> from turngraph.graphs import chat_turn
        >>> from turngraph.providers import ProviderConfig
        >>> from turngraph.providers.scripted import ScriptedModel
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
        loop, walk = BackgroundLoop(), Walk(graph, _config(thread))
        self._set_up(graph, loop, Line(walk), "main", {})
        self.breakpoints.extend(breakpoints)
        self._line.steps.append(loop.run(_begun(walk, graph, input, thread)))
        self._line.place = 0

    @classmethod
    def attach(cls, graph: Graph, thread_id: str | Mapping[str, Any]) -> Self:
        """Walk the last turn of a stored thread, step by step, without calling anyone.

        It stands at the turn's end; `back`, `jump`, `diff` look; `fork` and `edit` begin a line that may call."""
        loop, config = BackgroundLoop(), _config(thread_id)
        stepper = cls.__new__(cls)
        stepper._set_up(graph, loop, Line(Walk(graph, config), past_steps(graph, config)), "main", {})
        return stepper

    def _set_up(
        self, graph: Graph, loop: BackgroundLoop, line: Line, name: str, forks: "dict[str, TurnStepper]"
    ) -> None:
        self.graph = graph
        self.name = name
        self.breakpoints: list[Breakpoint] = []
        """Where `run` stops by itself."""
        self.forks = forks
        """Every line of this walk by name; the first is `main`."""
        self.forks[name] = self
        self._loop = loop
        self._line = line
        self._states: WeakKeyDictionary[Step, dict[str, Mapping[str, Any]]] = WeakKeyDictionary()
        self._watchers: list[Callable[[], None]] = []

    def step(self) -> Step:
        """Run what is next: a subgraph is entered, parallel calls run together. What was stepped back runs nothing."""
        return self._run(self._line.step())

    def step_into(self) -> Step:
        """The smallest step: one task, such as one of several tool calls."""
        return self._run(self._line.step_into())

    def step_over(self) -> Step:
        """What is next, whole: a subgraph in one step."""
        return self._run(self._line.step_over())

    def run_until(self, until: Until) -> Step:
        """Step until `until`, or the end: before a node, after an event, or as a function of the step says."""
        return self._run(self._line.run(_stop(until), self.breakpoints))

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
        """Change one thing where the walk stands; what lay ahead is left, and what runs next is asked anew.

        Args:
            request: fields of the pending request, or another one, for the rest of the turn.
            body: the very JSON of the pending request, for this request alone.
            tool: a tool's name or a call's id: with `arguments` before it runs, or the `result` that is told.
            state: fields of the state: `messages=[…]`, `settings=…`.

        Raises TurnInvocationError where there is nothing of the kind to edit, TurnValueError for a wrong value.
        """
        return self._run(self._edit(request, body, tool, arguments, result, state))

    def answer(self, value: Any, question: str | None = None) -> Step:
        """Decide what a person was asked (`stepper.now.waiting`): all questions alike, or the one with that id."""
        return self._run(self._answer(value, question))

    def retry(self) -> Step:
        """Run again what ran last. A model is asked, and billed, again."""
        return self._run(self._line.retry())

    def fork(self, name: str) -> "TurnStepper":
        """Another line from here, in a lineage of its own: what it calls is billed once more, in that lineage."""
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
        return await self._arun(self._line.run(_stop(until), self.breakpoints))

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
        return await self._arun(self._answer(value, question))

    async def aretry(self) -> Step:
        """`retry`, awaited."""
        return await self._arun(self._line.retry())

    async def afork(self, name: str) -> "TurnStepper":
        """`fork`, awaited."""
        fork = self._forked(name)
        await self._loop.arun(fork._locked(fork._line.renew("fork", f"fork {name}")))
        return fork

    @property
    def now(self) -> Step:
        """The step the walk stands at."""
        return self._line.now

    @property
    def timeline(self) -> tuple[Step, ...]:
        """Every step of this line, those ahead included."""
        return tuple(self._line.steps)

    @property
    def behind(self) -> tuple[Step, ...]:
        """The steps of the timeline up to here."""
        return tuple(self._line.behind)

    @property
    def state(self) -> Mapping[str, Any]:
        """The state here: of the graph whose node is next, of the whole graph where nothing is."""
        return self.state_at(self.now)

    @property
    def request(self) -> WireRequest | None:
        """The exact JSON that is about to be sent; else the last that was (`sent` says which)."""
        for task in self.now.pending:
            if (about := request_of(task, sent=False)) is not None:
                return about
        for step in reversed(self._line.behind):
            for done in reversed(step.done):
                if (was := request_of(done.task, sent=True)) is not None:
                    return was
        return None

    @property
    def response(self) -> ProviderReply | None:
        """The last answer of the model up to here."""
        return next((step.reply for step in reversed(self._line.behind) if step.reply is not None), None)

    @property
    def events(self) -> tuple[TurnEvent, ...]:
        """Everything that happened up to here."""
        return tuple(event for step in self._line.behind for event in step.events)

    @property
    def charges(self) -> tuple[Charge, ...]:
        """What was charged up to here, each once."""
        return self._line.charges

    @property
    def cost(self) -> Decimal:
        """USD spent up to here, as far as it is priced."""
        return self._line.cost_usd

    def state_at(self, step: Step | int, space: str | None = None) -> Mapping[str, Any]:
        """The state at a step of the timeline; `space` names a namespace, empty for the outermost graph."""
        step = self.timeline[step] if isinstance(step, int) else step
        where = _space_of(step) if space is None else space
        kept = self._states.setdefault(step, {})
        if where not in kept:
            kept[where] = self._loop.run(self._locked(_values(self._line.walk, step, where)))
        return kept[where]

    def diff(self, a: Step | int, b: Step | int | None = None) -> Differences:
        """What differs between the states of two steps; without `b`, between `a` and here."""
        second = self.now if b is None else b
        return diff_states(self.state_at(a), self.state_at(second))

    def compare(self, a: "str | TurnStepper", b: "str | TurnStepper") -> Comparison:
        """Two lines side by side, up to where each stands."""
        one, two = self._fork_named(a), self._fork_named(b)
        first, second = one._line.behind, two._line.behind
        shared = sum(1 for mine, other in zip(first, second, strict=False) if mine is other)
        answers = [reply.text if (reply := each.response) is not None else "" for each in (one, two)]
        return Comparison(
            names=(one.name, two.name),
            parted_at=shared - 1,
            steps=(len(first) - 1, len(second) - 1),
            calls=(one._line.calls, two._line.calls),
            cost_usd=(one.cost, two.cost),
            answers=(answers[0], answers[1]),
            changes=diff_states(one.state, two.state),
        )

    def close(self) -> None:
        """End the background loop, and with it the connections opened on it. The past can still be looked at."""
        for step in self._line.steps:
            self.state_at(step)
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._loop.close()

    def show(self) -> Any:
        """The stepper on the screen: the widget, or, without the extra `notebook`, the page it shows in a notebook."""
        from turngraph.interfaces.stepper.widget import widget_for

        return widget_for(self)

    def on_move(self, watcher: Callable[[], None]) -> None:
        """Call `watcher` after every move."""
        self._watchers.append(watcher)

    def _repr_html_(self) -> str:
        from turngraph.interfaces.stepper.view import page

        return page(self)

    def __repr__(self) -> str:
        return f"<TurnStepper {self.name} {self.now}>"

    async def _edit(self, request: Any, body: Any, tool: str | None, arguments: Any, result: Any, state: Any) -> Step:
        given = [kind for kind in (request, body, tool, state or None) if kind is not None]
        if len(given) != 1:
            raise TurnInvocationError("Edit one thing at a time: `request`, `body`, `tool`, or fields of the state.")
        now = self.now
        edit: Edit
        if request is not None:
            edit = edit_request(now, request)
        elif body is not None:
            edit = edit_body(now, body)
        elif tool is not None:
            values = await _values(self._line.walk, now, _space_of(now))
            edit = edit_tool(now, tool, values, arguments=arguments, result=result)
        else:
            edit = edit_state(now, state)
        return await self._line.edit(edit)

    async def _answer(self, value: Any, question: str | None) -> Step:
        asked = [each.interrupt.id for each in self.now.waiting if question in (None, each.interrupt.id)]
        if not asked:
            raise TurnInvocationError("Nobody is asked anything here" + (f" by `{question}`." if question else "."))
        return await self._line.answer(dict.fromkeys(asked, value))

    def _forked(self, name: str) -> "TurnStepper":
        if name in self.forks:
            raise TurnInvocationError(f"There is a line `{name}` already: {', '.join(self.forks)}.")
        walk = Walk(self.graph, self._line.walk.config)
        fork = TurnStepper.__new__(TurnStepper)
        fork._set_up(self.graph, self._loop, Line(walk, self._line.behind), name, self.forks)
        fork.breakpoints.extend(self.breakpoints)
        return fork

    def _fork_named(self, fork: "str | TurnStepper") -> "TurnStepper":
        if isinstance(fork, TurnStepper):
            return fork
        if fork not in self.forks:
            raise TurnInvocationError(f"No line `{fork}`. There are: {', '.join(self.forks)}.")
        return self.forks[fork]

    def _run(self, work: Coroutine[Any, Any, Step]) -> Step:
        return self._moved(self._loop.run(self._locked(work)))

    async def _arun(self, work: Coroutine[Any, Any, Step]) -> Step:
        return self._moved(await self._loop.arun(self._locked(work)))

    async def _locked(self, work: Coroutine[Any, Any, T]) -> T:
        async with self._line.lock():
            return await work

    def _moved(self, step: Step) -> Step:
        for watcher in self._watchers:
            watcher()
        return step


def _config(thread: str | Mapping[str, Any] | None) -> dict[str, Any]:
    if isinstance(thread, Mapping):
        return dict(thread)
    return {} if thread is None else {"configurable": {"thread_id": thread}}


async def _begun(walk: Walk, graph: Graph, given: Any, thread: object) -> Step:
    if thread is not None and graph.checkpointer:
        await asyncio.to_thread(walk.adopt, graph)
    return await walk.begin(given)


async def _values(walk: Walk, step: Step, space: str) -> Mapping[str, Any]:
    return dict((await walk.state(step, space)).values)


def _space_of(step: Step) -> str:
    tasks = [*step.pending, *(waiting.task for waiting in step.waiting)]
    return tasks[0].space if tasks else ""


def _stop(until: Until) -> Stop:
    if callable(until):
        return until
    return lambda step: (
        any(until in (task.node, task.name) for task in step.pending)
        or any(getattr(event, "type", None) == until for event in step.events)
    )
