"""What a person is asked, in words, and what the answer's editor begins with."""

import json
from collections.abc import Mapping
from typing import Any

from turngraph.interfaces.stepper.engine.typed_json import typed_json
from turngraph.state.errors import TurnValueError

__all__ = ["answer_draft", "call_text", "is_approval", "question_text", "typed_answer"]


def question_text(value: object) -> str:
    """Returns the question of an interrupt, in words where it is the approval of a tool call.

    >>> question_text({"type": "tool_approval", "tool": "pay", "arguments": {"usd": 5}})
    'May pay({"usd": 5}) run?'
    """
    if isinstance(value, Mapping) and is_approval(value):
        arguments = json.dumps(value.get("arguments"), ensure_ascii=False, default=str)
        problem = f"{value['problem']} " if "problem" in value else ""
        return f"{problem}May {call_text(str(value.get('tool')), arguments)} run?"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def is_approval(value: object) -> bool:
    """Returns whether an interrupt asks for the approval of a tool call."""
    return isinstance(value, Mapping) and value.get("type") == "tool_approval"


def answer_draft(value: object) -> str:
    """Returns what the editor of an answer begins with: the arguments that may be changed."""
    if not isinstance(value, Mapping) or not is_approval(value):
        return ""
    draft = {"decision": "edit", "arguments": value.get("arguments")}
    return json.dumps(draft, ensure_ascii=False, default=str)


def typed_answer(text: str) -> Any:
    """Returns what a person has answered: JSON, or else the text itself.

    Raises TurnValueError if nothing was typed, or JSON was begun and is none.

    >>> typed_answer('{"decision": "approve"}'), typed_answer("the red one")
    ({'decision': 'approve'}, 'the red one')
    """
    if not text.strip():
        raise TurnValueError("The answer is empty. Type JSON or a text.")
    try:
        return typed_json(text, "The answer is")
    except TurnValueError:
        if text.lstrip()[0] in '{["':
            raise
        return text


def call_text(name: str, arguments: str) -> str:
    """Returns a tool call as it is written in code."""
    return f"{name}({arguments})"
