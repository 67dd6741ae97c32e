"""Says in one sentence why a turn has no complete answer."""

from collections.abc import Mapping
from typing import Final

from turngraph.interfaces.plain_text import one_line
from turngraph.state.kinds import TurnStatus
from turngraph.state.turn_error import TurnError

__all__ = ["why_no_answer"]

_MESSAGE_WIDTH: Final = 2_000
_SENTENCES: Final[Mapping[TurnStatus, str]] = {
    "length": "The answer was cut off at its token limit. A higher max_tokens allows more.",
    "content_filter": "The vendor's content filter stopped the answer.",
    "empty": "The model answered with nothing: no text and no tool call.",
    "invalid_answer": "The answer does not have the form that was asked for.",
    "refused": "The model declined to answer.",
}


def why_no_answer(
    status: TurnStatus, error: TurnError | None = None, refusal: str | None = None
) -> str:
    """Returns one sentence about a turn that ended with `status`.

    The error's own message, which holds the vendor's HTTP status, comes before anything else.

        >>> why_no_answer("refused", refusal="I cannot help with that.")
        'The model declined to answer. It said: I cannot help with that.'
    """
    if error is not None:
        return one_line(error.message, _MESSAGE_WIDTH)
    sentence = _SENTENCES.get(status, f"The turn ended with status `{status}`.")
    return f"{sentence} It said: {one_line(refusal, _MESSAGE_WIDTH)}" if refusal else sentence
