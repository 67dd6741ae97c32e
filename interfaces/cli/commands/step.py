"""`turngraph step`: one turn in the terminal, stage by stage, with the keys of the widget."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from turngraph.interfaces.cli.model_options import ModelOptions, open_model
from turngraph.interfaces.cli.step_screen import StepScreen
from turngraph.state.errors import TurnValueError

if TYPE_CHECKING:
    from turngraph.providers.config import ProviderConfig

__all__ = ["step"]


def step(
    question: str,
    /,
    *,
    record: Path | None = None,
    options: ModelOptions = ModelOptions(),  # noqa: B008  frozen
) -> None:
    """Step through one chat turn, stage by stage.

    Parameters
    ----------
    question
        The question.
    record
        Write what is sent and received to this file, without keys; `turngraph replay` runs it
        again.
    """
    from turngraph.graphs.chat import chat_turn
    from turngraph.interfaces.stepper.stepper import TurnStepper

    if not question.strip():
        raise TurnValueError('No question was given. Type: turngraph step "your question".')
    with open_model(options, os.environ) as model, _recorded(model.config, record) as config:
        turn = chat_turn(
            config,
            functions=model.functions,
            system=options.system,
            limits=model.limits,
            prices=model.prices,
        )
        with TurnStepper(turn, {"messages": [("user", question)]}) as stepper:
            StepScreen(stepper, Console(highlight=False)).run()


@contextmanager
def _recorded(config: "ProviderConfig", file: Path | None) -> Iterator["ProviderConfig"]:
    """Yields `config`; where a file is named, a copy whose requests are recorded there."""
    if file is None:
        yield config
        return
    from turngraph.interfaces.stepper.engine.recording import Recorder

    with Recorder(config, file) as tape:
        yield tape.recorded
