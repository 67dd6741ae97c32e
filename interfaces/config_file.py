"""Reads a configuration file, whatever its format."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from turngraph.state.errors import TurnConfigurationError

__all__ = ["read_config_file"]


def read_config_file(file: Path, parse: Callable[[str], Any]) -> Any:
    """Returns what `parse` makes of the text of `file`, which is UTF-8. Some editors begin it with
    a byte order mark, which is passed over.

    Raises TurnConfigurationError that names the file if it cannot be read, or if `parse` refuses it
    with a ValueError, as those of JSON and TOML do.
    """
    try:
        return parse(file.read_text("utf-8-sig"))
    except OSError as exc:
        raise TurnConfigurationError(f"`{file}` cannot be read: {exc.strerror}.") from exc
    except ValueError as exc:
        raise TurnConfigurationError(f"`{file}` cannot be read: {exc}.") from exc
    except RecursionError as exc:
        raise TurnConfigurationError(f"`{file}` cannot be read: it is nested too deep.") from exc
