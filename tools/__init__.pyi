from .builtin.calculator import (
    calculator as calculator,
)
from .builtin.date_calculator import (
    date_calculator as date_calculator,
)
from .builtin.weather import (
    get_current_weather as get_current_weather,
    weather_tool as weather_tool,
)
from .manifests.loading import (
    Manifests as Manifests,
    load_manifests as load_manifests,
)
from .mcp import (
    McpServers as McpServers,
)
from .plugin import (
    Plugin as Plugin,
)
from .retries import (
    Retry as Retry,
)
from .toolbox import (
    Toolbox as Toolbox,
)

__all__ = [
    "Manifests",
    "McpServers",
    "Plugin",
    "Retry",
    "Toolbox",
    "calculator",
    "date_calculator",
    "get_current_weather",
    "load_manifests",
    "weather_tool",
]
