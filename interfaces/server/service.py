"""What the endpoints share: configuration, models, databases and the turns that run."""

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine, Mapping, MutableMapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

from fastapi import Depends, Request

from turngraph.billing.pricing.prices import Prices
from turngraph.interfaces.server.admission import Admission
from turngraph.interfaces.server.answer_parts import turn_status, usage_of
from turngraph.interfaces.server.caller import Caller, Callers
from turngraph.interfaces.server.config import ServerConfig, waits_for_start
from turngraph.interfaces.server.errors import ServerError
from turngraph.interfaces.server.local_caller import callers_for
from turngraph.interfaces.server.metrics import Metrics
from turngraph.interfaces.server.passthrough.gateway import PassthroughGateway
from turngraph.interfaces.server.passthrough.kept_answers import forget_answers
from turngraph.interfaces.server.rate_limits.limiter import RateLimiter
from turngraph.interfaces.server.request_rows import delete_old
from turngraph.interfaces.server.responses.background import BackgroundResponses
from turngraph.interfaces.server.served_models import ModelSet, build_models
from turngraph.interfaces.server.signals import Signals
from turngraph.interfaces.server.store import Store, check_database, open_store
from turngraph.interfaces.server.stored_requests import StoredRequests
from turngraph.interfaces.server.turn_runs import OnEnd, TurnEnd, TurnPlan, TurnRun, TurnRuns
from turngraph.interfaces.server.unused_threads import note_unused, unused_among, unused_threads
from turngraph.interfaces.telemetry.opentelemetry import OpenTelemetry

__all__ = [
    "CallerOf",
    "ReaderOf",
    "Service",
    "ServiceOf",
    "identify",
    "open_service",
    "service_of",
    "unless_gone",
]

T = TypeVar("T")

_log: Final = logging.getLogger("turngraph.server")


@dataclass
class Service:
    """Built when the server starts."""

    config: ServerConfig
    callers: Callers
    limiter: RateLimiter
    passthrough: PassthroughGateway
    store: Store
    models: ModelSet
    runs: TurnRuns
    folder: Path
    environ: MutableMapping[str, str]
    telemetry: OpenTelemetry | None
    metrics: Metrics
    signals: Signals = field(default_factory=Signals)
    stored: StoredRequests = field(init=False)
    background: BackgroundResponses = field(init=False)
    _old: list[ModelSet] = field(default_factory=list)
    _at_start: ServerConfig = field(init=False)

    def __post_init__(self) -> None:
        self._at_start = self.config
        self.stored = StoredRequests(self)
        self.background = BackgroundResponses(self.stored)

    async def start(
        self, caller: Caller, plans: Sequence[TurnPlan], tokens: int, on_end: OnEnd | None = None
    ) -> tuple[TurnRun, Mapping[str, str]]:
        """Starts a turn that may need about `tokens` tokens. Also returns headers for the answer.

        `on_end` is called with its end. Raises ServerError (429, 503) if the caller or the server
        is at a limit.
        """
        with self._models_of(plans[0]).used() as models:
            return await self._start(caller, plans, tokens, models, on_end)

    async def _start(
        self,
        caller: Caller,
        plans: Sequence[TurnPlan],
        tokens: int,
        models: ModelSet,
        on_end: OnEnd | None,
    ) -> tuple[TurnRun, Mapping[str, str]]:
        admitted = await self.limiter.admit(caller, tokens=tokens)

        async def note(end: TurnEnd | Exception) -> None:
            used = 0
            if isinstance(end, TurnEnd):
                usage = usage_of(end)
                used = (usage.input_tokens or 0) + (usage.output_tokens or 0)
                self.metrics.count_turn(end, turn_status(end))
            await self.limiter.settle(admitted, tokens=used)
            if on_end is not None:
                await on_end(end)
            await self._delete_if_unused(plans)

        try:
            run = await self.runs.start(plans, caller, models, note)
        except BaseException:
            await self.limiter.settle(admitted, tokens=0)
            raise
        return run, admitted.headers

    async def _delete_if_unused(self, plans: Sequence[TurnPlan]) -> None:
        """Deletes what a turn has written after its request was deleted, or had become too old."""
        threads = [plan.thread for plan in plans if plan.thread is not None]
        if threads and await self.store.ledger.store.aread(unused_among, threads):
            unused = await self.store.ledger.store.arun(note_unused, threads)
            await self.store.delete_messages(unused)

    def _models_of(self, plan: TurnPlan) -> ModelSet:
        """The models that a plan was made with: a reload may have replaced them since."""
        for models in self._old:
            if any(each is plan.model for each in models.models.values()):
                return models
        return self.models

    async def reload(self, config: ServerConfig) -> None:
        """Serves the models of `config`, and forwards to its vendors, from now on. What runs keeps
        what it has.

        Raises TurnConfigurationError if they cannot be built; nothing is changed then.
        """
        check_database(config.store)
        models = await build_models(config, self.store, self.folder, self.environ, self.telemetry)
        try:
            self.passthrough.configure(config.passthrough)
        except BaseException:
            await models.aclose()
            raise
        self._old.append(self.models)
        if waits := waits_for_start(self._at_start, config):
            _log.warning("Changed, but not before the next start: %s", ", ".join(waits))
        self.config, self.models = config, models

    async def check_ready(self) -> None:
        """Raises ServerError (503) unless the databases answer, and while the server stops."""
        if self.signals.stopped_at is not None:
            raise ServerError(503, "The server is about to stop.", code="server_stopping")
        try:
            await self.store.ledger.alist_budgets()
            await self.store.checkpointer.aget_tuple({"configurable": {"thread_id": "readyz"}})
        except Exception as exc:
            _log.warning("The store does not answer: %r", exc)
            raise ServerError(
                503, "The server's database does not answer.", code="store_unavailable"
            ) from exc

    async def close_unused(self) -> None:
        """Closes the models of earlier configurations that no turn uses any more."""
        idle = [models for models in self._old if models.is_idle]
        self._old = [models for models in self._old if not models.is_idle]
        for models in idle:
            await models.aclose()
        await self.passthrough.close_unused()

    async def sweep(self, *, quiet_s: float) -> None:
        """Settles calls that nobody waits for any more, as of clients that left."""
        own = (*self.models.prices.overrides, *self.passthrough.prices)
        await self.store.ledger.asweep(Prices(own), quiet_s=quiet_s)

    async def forget_old(self) -> None:
        """Deletes responses and their conversations after the days that `[store]` says."""
        before = self.store.ledger.store.now() - 86_400 * self.config.store.days
        await self.store.ledger.store.arun(forget_answers, before)
        await self.store.ledger.store.arun(delete_old, before)
        unused = await self.store.ledger.store.arun(unused_threads)
        await self.store.delete_messages(unused)

    async def end_turns(self) -> None:
        """Once the server is told to stop: ends the turns that run or wait on after
        `drain_seconds`, while their clients are still there to be told.
        """
        while self.signals.stopped_at is None:  # noqa: ASYNC110  a signal handler sets it
            await asyncio.sleep(0.1)
        await asyncio.sleep(self.signals.seconds_left(self.config.server.drain_seconds))
        self.runs.admission.close()
        self.passthrough.stop()
        await self.runs.stop()

    async def tidy(self) -> None:
        """Runs forever: settles what clients have left open, and closes unused models."""
        while True:
            await asyncio.sleep(self.config.server.sweep_seconds)
            try:
                await self.sweep(quiet_s=self.config.server.sweep_seconds)
                await self.background.take_over()
                await self.forget_old()
                await self.close_unused()
            except Exception:  # noqa: BLE001  the next round may succeed
                _log.exception("The server's books could not be swept")


@asynccontextmanager
async def open_service(
    config: ServerConfig,
    callers: Callers | None,
    folder: Path,
    environ: MutableMapping[str, str],
    telemetry: OpenTelemetry | None,
) -> AsyncIterator[Service]:
    """Yields the service of `config`. At the end its turns are drained and all is closed."""
    async with open_store(config.store) as store:
        models = await build_models(config, store, folder, environ, telemetry)
        metrics = Metrics()
        places = config.server.turns_at_once, config.server.queue
        admission = Admission(*places, metrics.count_places)
        runs = TurnRuns(admission)
        ledger_store = store.ledger.store
        known = callers if callers is not None else callers_for(config, ledger_store)
        limiter = RateLimiter(ledger_store)
        forwards = PassthroughGateway(
            config.passthrough, ledger_store, limiter, admission, metrics, environ, telemetry
        )
        more = folder, environ, telemetry, metrics
        service = Service(config, known, limiter, forwards, store, models, runs, *more)
        tasks = [asyncio.create_task(each) for each in (service.tidy(), service.end_turns())]
        watch = asyncio.create_task(service.stored.watch())
        try:
            yield service
        finally:
            await _ended(*tasks)
            await runs.drain(service.signals.seconds_left(service.config.server.drain_seconds))
            left_s = service.signals.seconds_left(service.config.server.drain_seconds)
            await forwards.drain(left_s)
            await service.background.aclose()
            await runs.stop()
            await service.background.store_events()
            await _ended(watch)
            await forwards.aclose()
            await service.sweep(quiet_s=0.0)
            await service.models.aclose()
            await service.close_unused()


async def _ended(*tasks: "asyncio.Task[None]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def service_of(request: Request) -> Service:  # sync ones run in a thread each time
    """The service of the application that `request` was sent to."""
    service: Service = request.app.state.service
    return service


ServiceOf = Annotated[Service, Depends(service_of)]
"""The type of an endpoint's argument that is the service."""


async def identify(request: Request, service: ServiceOf) -> Caller:
    """Who sent `request`. Raises ServerError (401) if that is not known."""
    headers: Mapping[str, str] = request.headers
    caller = await service.callers.identify(headers)
    request.state.caller = caller
    return caller


CallerOf = Annotated[Caller, Depends(identify)]
"""The type of an endpoint's argument that is who sent the request."""


async def _with_models(caller: CallerOf) -> Caller:
    if "models" not in caller.scopes:
        raise ServerError(
            403, "This key may not use stored responses: that needs the scope `models`."
        )
    return caller


ReaderOf = Annotated[Caller, Depends(_with_models)]
"""`CallerOf` for what models have answered. Others are answered with 403."""


async def unless_gone(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Returns what `work` returns, and cancels it if the client leaves. The body must be read.

    Raises ServerError (499) then; nobody reads it.
    """
    task, has_left, is_over = asyncio.current_task(), False, False
    assert task is not None, "a coroutine runs in a task"

    def leave(gone: "asyncio.Task[None]") -> None:
        nonlocal has_left
        if not is_over and not gone.cancelled():
            has_left = True
            task.cancel()

    gone = asyncio.ensure_future(_gone(request))
    gone.add_done_callback(leave)
    try:
        return await work
    except asyncio.CancelledError:
        if has_left and task.uncancel() == 0:
            raise ServerError(499, "The client has left.") from None
        raise
    finally:
        is_over = True
        gone.cancel()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
