"""The functions turngraph brings along, by the names that `functions=["calculator"]` knows.

Each is made when asked for: importing this page loads none of them.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Final, cast

from langchain_core.tools import BaseTool

__all__ = ["BUILTINS"]


def _from(module: str, name: str) -> Callable[[], BaseTool]:
    return lambda: cast(BaseTool, getattr(import_module(f"turngraph.tools.builtin.{module}"), name))


BUILTINS: Final[Mapping[str, Callable[[], BaseTool]]] = MappingProxyType(
    {
        "calculator": _from("calculator", "calculator"),
        "date_calculator": _from("date_calculator", "date_calculator"),
        "get_current_weather": _from("weather", "get_current_weather"),
    }
)
