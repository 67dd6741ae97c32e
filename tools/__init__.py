"""What a model may call: built-in functions, declarative plugins, any LangChain tool, MCP servers.

Everything is loaded when first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from turngraph.tools.arithmetic import calculator
    from turngraph.tools.dates import date_calculator
    from turngraph.tools.toolbox import Toolbox
    from turngraph.tools.weather import get_current_weather, weather_tool

__all__ = ["Toolbox", "calculator", "date_calculator", "get_current_weather", "weather_tool"]

_HOMES = {
    "Toolbox": "toolbox",
    "calculator": "arithmetic",
    "date_calculator": "dates",
    "get_current_weather": "weather",
    "weather_tool": "weather",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
