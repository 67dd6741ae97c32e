"""Runs of a turn that its ledger has to admit, so that no two workers run on one thread."""

from collections.abc import AsyncIterator, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from langchain_core.runnables import RunnableConfig
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import StateSnapshot

from turngraph.graphs.resubmission import (
    finished_state,
    is_end,
    stored_turn,
    stream_parts,
)
from turngraph.state.flow import Flow, Wait, drive, drive_async
from turngraph.state.turn import Turn, TurnInput, TurnOutput

if TYPE_CHECKING:
    from turngraph.billing.ledger import Ledger
    from turngraph.graphs.admission import AdmittedRun

__all__ = ["AdmittedRuns"]


class AdmittedRuns(CompiledStateGraph[Turn, None, TurnInput, TurnOutput]):
    """LangGraph's `stream` between the admission of a turn to its ledger and its release.

    A finished turn that is submitted again by its `turn_id` does not run again; its result is
    streamed.
    """

    ledger: "Ledger | None" = None
    wait_s: float = 0.0
    """Seconds that a turn waits for another worker that has its thread, before it is refused."""

    def _stream_admitted(
        self, input: object, config: RunnableConfig | None, arguments: dict[str, Any]
    ) -> Iterator[Any]:
        from turngraph.graphs.admission import release_run

        run = drive(self._admitted(input, config))
        failed = False
        try:
            given, finished = drive(self._start_of(run))
            if finished is not None:
                yield from self._parts_of(finished, arguments)
            else:
                yield from super().stream(given, run.config, **arguments)
        except BaseException as exc:
            failed = not isinstance(exc, GeneratorExit)  # a caller may have seen enough
            raise
        finally:
            drive(release_run(self._ledger, run, failed=failed))

    async def _astream_admitted(
        self, input: object, config: RunnableConfig | None, arguments: dict[str, Any]
    ) -> AsyncIterator[Any]:
        from turngraph.graphs.admission import release_run

        run = await drive_async(self._admitted(input, config))
        failed = False
        try:
            given, finished = await drive_async(self._start_of(run))
            if finished is not None:
                for part in self._parts_of(finished, arguments):
                    yield part
            else:
                async for part in super().astream(given, run.config, **arguments):
                    yield part
        except BaseException as exc:
            failed = not isinstance(exc, GeneratorExit)
            raise
        finally:
            await drive_async(release_run(self._ledger, run, failed=failed))

    def _admitted(self, input: object, config: RunnableConfig | None) -> "Flow[AdmittedRun]":
        from turngraph.graphs.admission import admit_run
        from turngraph.graphs.admission_request import admission_request_for

        request = admission_request_for(input, config, keeps_threads=bool(self.checkpointer))
        if request.needs_saved_state:
            saved: StateSnapshot = yield Wait(
                partial(self.get_state, request.config), partial(self.aget_state, request.config)
            )
            request = request.completed_from(saved)
        return (yield from admit_run(self._ledger, request, self.wait_s))

    def _start_of(self, run: "AdmittedRun") -> Flow[tuple[Any, StateSnapshot | None]]:
        """The input to run with; or, for a turn that is over, the state at its end."""
        if run.finished_turn is None:
            return run.input, (yield from self._end_without_finish(run))
        snapshot = yield from finished_state(self, run.finished_turn, run.thread, run.config)
        # Short of its end the turn goes on from there, which is what no input means to LangGraph.
        return None, snapshot if is_end(snapshot) else None

    def _end_without_finish(self, run: "AdmittedRun") -> Flow[StateSnapshot | None]:
        """The end of a turn whose worker died after its last checkpoint, and before it could mark
        the turn as finished. None for a turn that goes on, or begins. Other turns of the thread may
        have come after it.
        """
        turn_id, fence, status = run.admission
        if status != "running" or run.thread is None or not isinstance(run.input, Mapping):
            return None
        stored = yield from stored_turn(self, turn_id, run.config)
        if stored is None or not is_end(stored):
            return None
        self._ledger.leases.mark_over(turn_id, fence)
        return stored

    def _parts_of(self, finished: StateSnapshot, arguments: dict[str, Any]) -> Iterator[Any]:
        keys = self.stream_channels_asis
        return stream_parts(finished.values, keys, arguments, self.stream_mode)

    @property
    def _ledger(self) -> "Ledger":
        assert self.ledger is not None, "only a turn with a ledger is admitted"
        return self.ledger
