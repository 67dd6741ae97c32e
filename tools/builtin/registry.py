"""The built-in functions by the names that `functions=["calculator"]` uses.

A function is imported when it is first asked for; importing this module imports none.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Final, cast

from langchain_core.tools import BaseTool

__all__ = ["BUILTINS"]


def _importer(module: str, name: str) -> Callable[[], BaseTool]:
    return lambda: cast(BaseTool, getattr(import_module(f"turngraph.tools.builtin.{module}"), name))


BUILTINS: Final[Mapping[str, Callable[[], BaseTool]]] = MappingProxyType(
    {
        "calculator": _importer("calculator", "calculator"),
        "date_calculator": _importer("date_calculator", "date_calculator"),
        "get_current_weather": _importer("weather", "get_current_weather"),
    }
)
