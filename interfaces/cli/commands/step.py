"""`turngraph step`: one turn, or one run of a graph of your own, stage by stage in the terminal."""

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from turngraph.interfaces.cli.graph_argument import (
    graph_and_question,
    graph_context,
    graph_input,
    open_graph,
)
from turngraph.interfaces.cli.model_options import ModelOptions
from turngraph.interfaces.cli.threads import history_file, open_history, with_history
from turngraph.interfaces.cli.turn_options import TurnOptions, open_setup
from turngraph.state.errors import TurnConfigurationError

if TYPE_CHECKING:
    from turngraph.interfaces.cli.turn_options import TurnSetup
    from turngraph.interfaces.user_graphs.loading import Graph

__all__ = ["step"]


def step(
    graph: str | None = None,
    question: str | None = None,
    /,
    *,
    input: str | None = None,
    context: str | None = None,
    thread: Annotated[str | None, Parameter(name=("--thread", "-t"))] = None,
    history: Path | None = None,
    record: Path | None = None,
    options: ModelOptions = ModelOptions(),  # noqa: B008  frozen
    turn: TurnOptions = TurnOptions(),  # noqa: B008  frozen
) -> None:
    """Step through one chat turn, or a graph of your own, stage by stage.

    Parameters
    ----------
    graph
        A graph of your own, as in agent.py:app, or a name from langgraph.json. Without one, a turn
        is built from the options.
    question
        The question. It may be the only argument.
    input
        The graph's input as JSON, instead of a question.
    context
        What the graph's nodes read from `runtime.context`, as JSON.
    thread
        Begin with the conversation of this thread. Without a question, its last run is shown. The
        thread itself is only read.
    history
        The SQLite file that stores the threads of a graph without a checkpointer of its own.
        Default: that of `turngraph chat`.
    record
        Write what is sent and received to this file, without keys; `turngraph replay` runs it
        again.
    """
    reference, asked = graph_and_question(graph, question)
    with _opened(reference, options, turn, record) as opened:
        looks_back = thread is not None and asked is None and input is None
        given = None if looks_back else graph_input(opened, asked, input)
        in_context = None if looks_back and context is None else graph_context(opened, context)
        if thread is None:
            _walk(opened, given, None, in_context)
            return
        with open_history(history or history_file(os.environ)) as saver:
            _walk(with_history(opened, saver), given, thread, in_context)


def _walk(graph: "Graph", given: object, thread: str | None, context: object) -> None:
    from turngraph.interfaces.stepper.stepper import TurnStepper
    from turngraph.interfaces.terminal.start import show_stepper

    with TurnStepper(graph, given, thread, context=context) as stepper:
        gc.freeze()  # or a full collection of garbage would look at every object of every import
        show_stepper(stepper)


@contextmanager
def _opened(
    reference: str | None, options: ModelOptions, turn: TurnOptions, record: Path | None
) -> Iterator["Graph"]:
    """Yields the graph that is named, or the turn that the options describe."""
    if reference is not None:
        if record is not None:
            raise TurnConfigurationError(
                f"--record records the turn that is built here, and not `{reference}`. "
                "In its file, use turngraph.interfaces.stepper.Recorder."
            )
        yield open_graph(reference, options, turn).graph
        return
    with open_setup(turn, options, os.environ) as setup, _recorded(setup, record) as recorded:
        yield recorded.turn(recorded.model.config)


@contextmanager
def _recorded(setup: "TurnSetup", file: Path | None) -> Iterator["TurnSetup"]:
    """Yields `setup`; where a file is named, with a model whose requests are recorded there."""
    if file is None:
        yield setup
        return
    from turngraph.interfaces.stepper.engine.recording import Recorder

    try:
        tape = Recorder(setup.model.config, file)
    except OSError as exc:
        raise TurnConfigurationError(f"`--record` cannot write `{file}`: {exc.strerror}.") from exc
    with tape:
        yield replace(setup, model=replace(setup.model, config=tape.recorded))
