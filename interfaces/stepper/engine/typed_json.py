"""JSON that a person has typed."""

import json
from typing import Any

from turngraph.state.errors import TurnValueError

__all__ = ["typed_json"]


def typed_json(text: str, what: str) -> Any:
    """Returns what `text` holds. `what` names it in the sentence that is raised: `The answer is`.

    Raises TurnValueError if it is not valid JSON, or is nested too deeply to be read.

    >>> typed_json('{"n": 1}', "The value is")
    {'n': 1}
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise TurnValueError(f"{what} nested too deeply: use fewer brackets.") from None
    except ValueError as exc:
        raise TurnValueError(f"{what} not valid JSON: {exc}.") from exc
