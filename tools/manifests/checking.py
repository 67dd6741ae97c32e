"""Checks manifests without a turn: their problems, and what a plugin answers to its test values."""

import json
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import NamedTuple

from langchain_core.tools import ToolException

from turngraph.state.errors import TurnConfigurationError
from turngraph.state.json_types import JsonObject
from turngraph.state.reply import ToolCall
from turngraph.tools.manifests.loading import Manifests, load_manifests
from turngraph.tools.manifests.problems import ManifestError, Problem
from turngraph.tools.manifests.secrets import Secrets
from turngraph.tools.output import ToolOutput
from turngraph.tools.toolbox import Toolbox

__all__ = [
    "CheckReport",
    "ConnectionCheck",
    "check_connections",
    "check_manifests",
    "parse_pairs",
    "try_plugin",
]

TRY_TIMEOUT_S = 120
"""Seconds. The connection's own timeout is shorter and gives a better message."""


class CheckReport(NamedTuple):
    """The result of a check. `manifests` is None if there are problems."""

    manifests: Manifests | None
    problems: tuple[Problem, ...]
    warnings: tuple[str, ...]


class ConnectionCheck(NamedTuple):
    """Whether a connection could be opened. `error` is None if it could."""

    name: str
    error: str | None


def check_manifests(source: str | Path, *, allow_hosts: Collection[str] = ()) -> CheckReport:
    """Returns all problems of the manifests in `source`. Asks no database and no service.

    Raises FileNotFoundError.
    """
    try:
        manifests = load_manifests(source, secrets=Secrets(), allow_hosts=allow_hosts)
        # Building the toolbox checks the names and schemas of the tools as a turn would.
        Toolbox.of([plugin.tool for plugin in manifests])
    except ManifestError as error:
        return CheckReport(None, error.problems, ())
    return CheckReport(manifests, (), manifests.warnings)


def check_connections(manifests: Manifests) -> tuple[ConnectionCheck, ...]:
    """Opens every connection in `manifests` once, with its secret.

    Nothing is queried. A service is asked for its base address: any answer but a refusal of the
    credentials is a connection.
    """
    tries = {name: database.connect for name, database in manifests.databases.items()}
    tries |= {name: service.connect for name, service in manifests.services.items()}
    return tuple(ConnectionCheck(name, _error_of(connect)) for name, connect in tries.items())


def _error_of(connect: Callable[[], None]) -> str | None:
    try:
        connect()
    except (ToolException, TurnConfigurationError) as error:
        return str(error)
    return None


def try_plugin(
    manifests: Manifests, name: str, arguments: Mapping[str, object] | None = None
) -> ToolOutput:
    """Runs the plugin `name` with its test values; `arguments` replaces some of them.

    Raises TurnConfigurationError if there is no such plugin, and ToolArgumentsError and
    ToolTimeoutError as in a turn.
    """
    plugin = manifests[name]
    toolbox = Toolbox.of([plugin.tool])
    given = {**plugin.test_arguments, **(arguments or {})}
    checked = toolbox.check(ToolCall(id="try", name=name, arguments=json.dumps(given)))
    return toolbox.run(name, checked, call_id="try", timeout_s=TRY_TIMEOUT_S)


def parse_pairs(pairs: Collection[str]) -> JsonObject:
    """Returns `name=value` pairs of a command line as arguments.

    A value that is JSON becomes that JSON value; any other value is text.

    >>> parse_pairs(["n=3", "city=Oslo", "flag=true", "code=\\"7\\""])
    {'n': 3, 'city': 'Oslo', 'flag': True, 'code': '7'}

    Raises ValueError for a pair without `=`.
    """
    arguments: JsonObject = {}
    for pair in pairs:
        name, separator, text = pair.partition("=")
        if not separator or not name:
            raise ValueError(f"`{pair}` is not an argument; write `name=value`.")
        try:
            arguments[name] = json.loads(text)
        except ValueError:
            arguments[name] = text
    return arguments
