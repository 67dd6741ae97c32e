"""Runs turns as tasks of their own, so that one whose client has left still ends in order.

A client that leaves sets the turn's flag; the turn then stops asking its vendor, settles what was
used and ends. The task is only cancelled when the server itself must end.
"""

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from typing import Any, Final

from langchain_core.messages import AIMessage, AnyMessage
from langchain_core.runnables import RunnableConfig
from langgraph.types import Interrupt

from turngraph.interfaces.server.admission import Admission
from turngraph.interfaces.server.caller import Caller
from turngraph.interfaces.server.errors import server_stopping
from turngraph.interfaces.server.served_models import ModelSet, ServedModel
from turngraph.nodes.support.stage_context import LISTENER, NEW_TURN
from turngraph.state.errors import ErrorKind
from turngraph.state.events import AnyEvent, Token, is_event
from turngraph.state.payer import Payer
from turngraph.state.result import Charge, TurnResult

__all__ = ["OnEnd", "TurnEnd", "TurnPlan", "TurnRun", "TurnRuns"]

_INTERRUPTS: Final = "__interrupt__"
"""The key under which LangGraph's values hold what a graph asks."""

_log: Final = logging.getLogger("turngraph.server")


@dataclass(frozen=True)
class TurnPlan:
    """One way to answer a request: which model gets what."""

    model: ServedModel
    given: Any
    """The graph's input, or a `Command` that resumes it."""
    thread: str | None
    """The thread that is kept; None keeps nothing."""
    token: str
    """What the ids of calls for the client are made of."""
    messages_before: int = 0
    """How many messages are there before this run."""
    charges_before: frozenset[str] = frozenset()
    """The ids of the charges that an earlier request was told of."""
    next_on: Collection[ErrorKind] = ()
    """The kinds of errors after which the next plan is tried."""

    def config(
        self, cancel: asyncio.Event, caller: Caller, more: Mapping[str, Any]
    ) -> RunnableConfig:
        """The configuration to run the graph with. The caller pays for all that runs in it."""
        payer = Payer(caller.account, caller.key_id)
        configurable: dict[str, Any] = {"cancel": cancel, **payer.configurable, **more}
        if self.thread is not None:
            configurable["thread_id"] = self.thread
        elif isinstance(self.given, Mapping) and "turn_id" in self.given:
            # Where nothing is kept, the id was made for this request alone.
            configurable[NEW_TURN] = self.given["turn_id"]
        return {"configurable": configurable}


@dataclass(frozen=True)
class TurnEnd:
    """Where a run has stopped: at the turn's end, or at questions to the caller."""

    plan: TurnPlan
    messages: Sequence[AnyMessage]
    """What this run added to the conversation."""
    charges: Sequence[Charge]
    """What this run cost."""
    result: TurnResult | None
    """None while the turn waits for its caller, and for a graph that is more than a turn."""
    questions: Sequence[Interrupt] = ()
    first_token_s: float | None = None
    """Seconds until the first part of a streamed answer came."""
    at: float = field(default_factory=time.time)
    """When it stopped, in seconds since the epoch."""

    @property
    def answers(self) -> list[AIMessage]:
        """What the model said in this run."""
        return [message for message in self.messages if isinstance(message, AIMessage)]


OnEnd = Callable[[TurnEnd | Exception], Awaitable[None]]
"""What is called with the end of a run, or what it raised, before its client is told."""


@dataclass(eq=False)
class TurnRun:
    """One request's turn, running."""

    task: asyncio.Task[TurnEnd]
    cancel: asyncio.Event
    begun: asyncio.Event
    """Set when there is something to show: a part of an answer, or the end."""
    _events: "asyncio.Queue[AnyEvent | None]"
    is_detached: bool = False
    """Whether the turn goes on when its client has left."""

    async def events(self) -> AsyncIterator[Sequence[AnyEvent]]:
        """Yields the turn's events as they happen, until it stops: at a time all that are there."""
        while (event := await self._events.get()) is not None:
            events = [event]
            while not self._events.empty() and (event := self._events.get_nowait()) is not None:
                events.append(event)
            yield events
            if event is None:
                return

    async def end(self) -> TurnEnd:
        """Returns where the turn stopped. Raises what the run raised, and ServerError (503) where
        the server has ended it.

        If the task that waits is cancelled, the client has left: see `leave`.
        """
        try:
            return await asyncio.shield(self.task)
        except asyncio.CancelledError:
            if self.task.cancelled():
                raise server_stopping() from None
            self.leave()
            raise

    def leave(self) -> None:
        """Tells the turn that its client has left. Of no effect where it has ended."""
        if not self.is_detached:
            self.cancel.set()


@dataclass
class TurnRuns:
    """All turns that run in this process."""

    admission: Admission
    _tasks: set[asyncio.Task[TurnEnd]] = field(default_factory=set)

    async def start(
        self, plans: Sequence[TurnPlan], caller: Caller, models: ModelSet, on_end: OnEnd
    ) -> TurnRun:
        """Waits for a place and starts the first of `plans`. `on_end` is called when it stopped.

        `models` stay open until it has stopped. Raises ServerError (503) if too many turns wait
        already, or the server stops.
        """
        stack = AsyncExitStack()
        stack.enter_context(models.used())
        try:
            await stack.enter_async_context(self.admission.place(caller.account))
        except BaseException:
            await stack.aclose()
            raise
        cancel, begun = asyncio.Event(), asyncio.Event()
        events: asyncio.Queue[AnyEvent | None] = asyncio.Queue()
        task = asyncio.create_task(_Work(caller, cancel, begun, events).run(plans, stack, on_end))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(_retrieve)
        task.add_done_callback(lambda _: begun.set())
        return TurnRun(task, cancel, begun, events)

    async def drain(self, seconds: float) -> int:
        """Waits until all turns have ended, at most `seconds`. Returns how many have not."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)
        return len(self._tasks)

    async def stop(self) -> None:
        """Cancels all turns and waits until they have recorded what they used."""
        tasks = [*self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _retrieve(task: "asyncio.Task[TurnEnd]") -> None:
    """Looks at the exception, so that asyncio does not report it as lost: `end` raises it."""
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.debug("A turn ended with %r", error)


@dataclass
class _Work:
    """What the task of a turn does."""

    caller: Caller
    cancel: asyncio.Event
    begun: asyncio.Event
    events: "asyncio.Queue[AnyEvent | None]"
    started_at: float = field(default_factory=time.monotonic)
    first_token_s: float | None = None

    async def run(self, plans: Sequence[TurnPlan], stack: AsyncExitStack, on_end: OnEnd) -> TurnEnd:
        async with stack:
            try:
                for plan in plans:
                    end = await self._plan(plan)
                    error = None if end.result is None else end.result.error
                    if error is None or error.kind not in plan.next_on or self._is_decided:
                        break
                if self.first_token_s is not None:
                    end = replace(end, first_token_s=self.first_token_s)
            except asyncio.CancelledError:
                await on_end(server_stopping())
                raise
            except Exception as exc:
                await on_end(exc)
                raise
            else:
                await on_end(end)
                return end
            finally:
                self.events.put_nowait(None)

    @property
    def _is_decided(self) -> bool:
        """Whether no other model may answer any more."""
        return self.begun.is_set() or self.cancel.is_set()

    async def _plan(self, plan: TurnPlan) -> TurnEnd:
        run = self._turn(plan) if plan.model.is_turn else self._graph(plan)
        values: dict[str, Any] = {}
        inner: TurnResult | None = None
        async for namespace, part in run:
            if namespace:
                inner = _result_in(part) or inner
                continue
            # Of tasks that run side by side, each one's question comes in a part of its own.
            asked = {**_questions(values), **_questions(part)}
            values |= {**part, _INTERRUPTS: tuple(asked.values())}
        return _end_of(plan, values, inner)

    async def _turn(self, plan: TurnPlan) -> AsyncIterator[tuple[Any, Any]]:
        """Runs a turn, and yields its values. Its events come straight from its stages."""
        loop, here = asyncio.get_running_loop(), threading.get_ident()

        def listen(event: AnyEvent) -> None:
            # A tool in a thread may run a turn of its own.
            if threading.get_ident() == here:
                self._take(event)
            else:
                loop.call_soon_threadsafe(self._take, event)

        config = plan.config(self.cancel, self.caller, {LISTENER: listen})
        graph = plan.model.stateless if plan.thread is None else plan.model.kept
        yield (), await graph.ainvoke(plan.given, config)

    async def _graph(self, plan: TurnPlan) -> AsyncIterator[tuple[Any, Any]]:
        """Runs a graph of the user's own, and yields its values. A turn inside of it tells what
        happens in a namespace of its own.
        """
        config = plan.config(self.cancel, self.caller, {})
        modes: Any = ["custom", "values"]
        parts: AsyncIterator[Any] = plan.model.kept.astream(
            plan.given, config, stream_mode=modes, subgraphs=True
        )
        async for namespace, mode, part in parts:
            if mode == "values":
                yield namespace, part
            elif is_event(part):
                self._take(part)

    def _take(self, event: AnyEvent) -> None:
        if isinstance(event, Token) and not self.begun.is_set():
            self.first_token_s = time.monotonic() - self.started_at
            self.begun.set()
        self.events.put_nowait(event)


def _end_of(plan: TurnPlan, values: dict[str, Any], inner: TurnResult | None) -> TurnEnd:
    """Where a run with these last values has stopped. `inner` is the last result of a turn in a
    graph of the user's own.
    """
    questions = _questions(values).values()
    messages = values.get("messages", [])[plan.messages_before :]
    result = _result_in(values)
    if not any(isinstance(message, AIMessage) for message in messages):
        # The graph has no answer because its turn has none, and the turn knows why.
        result = result or inner
    charges = [one for one in values.get("charges") or () if one.id not in plan.charges_before]
    return TurnEnd(
        plan,
        messages,
        charges,
        None if questions else result,
        tuple(sorted(questions, key=_place_of)),
    )


def _result_in(values: Any) -> TurnResult | None:
    result = values.get("result") if isinstance(values, Mapping) else None
    return result if isinstance(result, TurnResult) else None


def _questions(values: Mapping[str, Any]) -> dict[str, Interrupt]:
    return {each.id: each for each in values.get(_INTERRUPTS, ())}


def _place_of(question: Interrupt) -> int:
    value = question.value
    return int(value.get("order", 0)) if isinstance(value, dict) else 0
