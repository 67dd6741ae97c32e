"""What a model may call: built-in functions, declarative plugins, any LangChain tool, MCP servers."""

from typing import TYPE_CHECKING

from turngraph.state.front_door import front_door

if TYPE_CHECKING:
    from turngraph.tools.arithmetic import calculator
    from turngraph.tools.dates import date_calculator
    from turngraph.tools.manifests.loading import Manifests, load_manifests
    from turngraph.tools.mcp import McpServers
    from turngraph.tools.plugin import Plugin
    from turngraph.tools.toolbox import Toolbox
    from turngraph.tools.weather import get_current_weather, weather_tool

__all__ = [
    "Manifests",
    "McpServers",
    "Plugin",
    "Toolbox",
    "calculator",
    "date_calculator",
    "get_current_weather",
    "load_manifests",
    "weather_tool",
]

__getattr__, __dir__ = front_door(
    "turngraph.tools",
    {
        "Manifests": "manifests.loading",
        "McpServers": "mcp",
        "Plugin": "plugin",
        "Toolbox": "toolbox",
        "calculator": "arithmetic",
        "date_calculator": "dates",
        "get_current_weather": "weather",
        "load_manifests": "manifests.loading",
        "weather_tool": "weather",
    },
)
