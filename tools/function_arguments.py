"""Gives the code of a LangChain tool those arguments that LangChain would keep for itself.

LangChain runs a function from a method with parameters of its own, `config` and `run_manager`, and
adds `callbacks`. An argument of the model that is only named like one of them would never arrive.
The config is given to one parameter alone, and only if its annotation is exactly `RunnableConfig`.
"""

import copy
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, Final

from langchain_core.tools import BaseTool, StructuredTool, Tool

__all__ = ["with_kept_arguments"]

KEPT: Final = frozenset({"self", "config", "run_manager", "callbacks"})
"""Parameters of `StructuredTool._run`, and what it adds to the arguments of the function."""


def with_kept_arguments(tool: BaseTool, injected: Mapping[str, object]) -> BaseTool:
    """Returns a copy of `tool`, for one call, whose code receives all arguments that are meant.

    These are `injected`, and for a function those of the model that are named as in `KEPT`.
    """
    if not injected and type(tool) is not StructuredTool:
        return tool
    copied, bound = copy.copy(tool), dict(injected)
    names = KEPT | injected.keys() if type(tool) is StructuredTool else injected.keys()
    # A class may count its calls, so its code itself runs on the original.
    code = ("func", "coroutine") if type(tool) in (StructuredTool, Tool) else ("_run", "_arun")

    def parse(tool_input: Any, call_id: str | None) -> Any:
        # Taken out here, after the conversion and before LangChain replaces or repeats them.
        parsed: Any = tool._parse_input(tool_input, call_id)
        taken = {name: parsed.pop(name) for name in names & parsed.keys()}
        bound.update({**taken, **injected})
        return parsed

    replaced: dict[str, Any] = {"_parse_input": parse}
    replaced |= {name: _bind(getattr(tool, name), bound) for name in code if getattr(tool, name)}
    for name, value in replaced.items():
        # Not by assignment, which pydantic refuses for names that begin with `_`.
        object.__setattr__(copied, name, value)
    return copied


def _bind(code: Callable[..., Any], bound: Mapping[str, object]) -> Callable[..., Any]:
    @wraps(code)
    def call(*args: Any, **kwargs: Any) -> Any:
        return code(*args, **{**kwargs, **bound})

    return call
