"""Stages of your own: what a function given to `before_model`, `after_model` or `before_tools` sees
and returns.
"""

from collections.abc import Awaitable, Sequence
from typing import Literal, Protocol

from langchain_core.messages import AIMessage, AnyMessage, MessageLikeRepresentation
from typing_extensions import TypedDict

from turngraph.state.reply import ToolCall
from turngraph.state.request import ChatRequest
from turngraph.state.result import Attempt, Charge, ToolRun
from turngraph.state.turn import TurnOutcome, TurnSettings

__all__ = ["StagePosition", "StageState", "StageUpdate", "TurnStage", "end_turn"]

StagePosition = Literal["before_model", "after_model", "before_tools"]
"""Where a stage stands: after a request is prepared, after an answer is charged, or before the
tools that the answer asked for.
"""


class StageState(TypedDict):
    """What a stage sees of the turn. The values are frozen: a stage returns what it changes."""

    messages: list[AnyMessage]
    """The conversation. After the model answered, its answer is the last message."""
    turn_id: str
    settings: TurnSettings | None
    request: ChatRequest
    """The prepared request, without the conversation, which stands in `messages`."""
    pending_tool_calls: list[ToolCall]
    """The calls that the model asked for and that have not run."""
    outcome: TurnOutcome | None
    """Why the turn ends; None while it goes on."""
    attempts: list[Attempt]
    """Every request sent in this turn, with its response."""
    tool_runs: list[ToolRun]
    charges: list[Charge]


class StageUpdate(TypedDict, total=False):
    """What a stage changes. A key it leaves out stays as it is."""

    messages: Sequence[MessageLikeRepresentation]
    """Messages to add. One that has the id of a message of the conversation replaces it."""
    request: ChatRequest
    """The request to send instead; only of use in `before_model`."""
    pending_tool_calls: list[ToolCall]
    """The calls that may run. The model is told of every call left out that it was not allowed."""
    outcome: TurnOutcome
    """Ends the turn; `end_turn` makes one."""


class TurnStage(Protocol):
    """A stage: a function, sync or async, from the state of the turn to what it changes.

    Its `__name__` names the node of the graph. It runs in a thread of its own when it is sync and
    the turn is async, and on an event loop of its own when it is async and the turn is sync. What
    it raises ends the run, as in any LangGraph node. It may call LangGraph's `interrupt`.

        >>> from turngraph.graphs.chat import chat_turn
        >>> def be_brief(state: StageState) -> StageUpdate:
        ...     return {"request": state["request"].model_copy(update={"max_tokens": 100})}
        >>> chat_turn("scripted", before_model=[be_brief]).run("Hello!").requests[0].max_tokens
        100
    """

    def __call__(self, state: StageState, /) -> StageUpdate | Awaitable[StageUpdate | None] | None:
        """Return the changes, or None for none."""
        ...


def end_turn(answer: str, *, status: Literal["completed", "refused"] = "refused") -> StageUpdate:
    """An update that ends the turn with `answer`, which also joins the conversation.

    No further request is sent, and tools that the model asked for do not run.

    >>> end_turn("I cannot help with that.")["outcome"].status
    'refused'
    """
    return {
        "messages": [AIMessage(answer)],
        "outcome": TurnOutcome(status=status, answer=answer),
    }
