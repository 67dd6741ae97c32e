"""Looking at manifests before a turn does: what is wrong with them, and what a plugin answers to
its test values.
"""

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from turngraph.state.reply import ToolCall
from turngraph.tools.manifests.loading import Manifests, load_manifests
from turngraph.tools.manifests.problems import ManifestError, Problem
from turngraph.tools.manifests.secrets import Secrets
from turngraph.tools.output import ToolOutput
from turngraph.tools.toolbox import Toolbox

__all__ = ["Report", "check_manifests", "parse_pairs", "try_plugin"]


class Report(NamedTuple):
    """What a look at manifests found: `manifests` is `None` where there are problems."""

    manifests: Manifests | None
    problems: tuple[Problem, ...]
    warnings: tuple[str, ...]


def check_manifests(source: str | Path, *, allow_hosts: Collection[str] = ()) -> Report:
    """Everything that is wrong with the manifests in `source`, without asking a database or a
    service.

    Raises FileNotFoundError.
    """
    try:
        found = load_manifests(source, secrets=Secrets(), allow_hosts=allow_hosts)
        Toolbox.of([plugin.tool for plugin in found])
    except ManifestError as error:
        return Report(None, error.problems, ())
    return Report(found, (), found.warnings)


def try_plugin(
    manifests: Manifests, name: str, arguments: Mapping[str, Any] | None = None
) -> ToolOutput:
    """What the plugin `name` answers to its test values, those in `arguments` replaced.

    Raises TurnConfigurationError for a plugin there is not, ToolArgumentsError and ToolTimeoutError
    as in a turn.
    """
    plugin = manifests[name]
    box = Toolbox.of([plugin.tool])
    given = {**plugin.test_arguments, **(arguments or {})}
    checked = box.check(ToolCall(id="try", name=name, arguments=json.dumps(given)))
    return box.run(name, checked, call_id="try", timeout_s=120)


def parse_pairs(pairs: Collection[str]) -> dict[str, Any]:
    """`key=value` as on a command line: a value that is JSON is that value, any other is text.

    >>> parse_pairs(["n=3", "city=Oslo", "flag=true", "code=\\"7\\""])
    {'n': 3, 'city': 'Oslo', 'flag': True, 'code': '7'}

    Raises ValueError for a pair without `=`.
    """
    found: dict[str, Any] = {}
    for pair in pairs:
        name, separator, text = pair.partition("=")
        if not separator or not name:
            raise ValueError(f"`{pair}` is no argument; write name=value.")
        try:
            found[name] = json.loads(text)
        except ValueError:
            found[name] = text
    return found
