"""`turngraph plugins`: check manifests, print a schema, begin one, try one."""

import json
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from rich.console import Console

__all__ = ["plugins"]

plugins = App(name="plugins", help="Check manifests, print a schema, begin one, try one.")

Hosts = Annotated[
    tuple[str, ...],
    Parameter(
        name="--allow-host",
        negative="",
        help="A host API plugins may reach though not public: localhost:8080.",
    ),
]


@plugins.command
def check(source: Path, /, *, allow_host: Hosts = ()) -> int:
    """Check the manifests in a file, or in a folder and below. Nothing is asked of a database or a
    service.

    Exits with 0 where all is well, 1 where there are problems: one a line, with file, line and
    path.

    Parameters
    ----------
    source
        A file or folder.
    """
    from turngraph.tools.manifests.checking import check_manifests

    report = check_manifests(_there(source), allow_hosts=allow_host)
    for problem in report.problems:
        print(problem)
    for warning in report.warnings:
        print(f"{warning} (warning)")
    if report.manifests is None:
        return 1
    found = report.manifests
    names = ", ".join(plugin.name for plugin in found) or "none"
    Console(stderr=True, highlight=False).print(f"All is well. Plugins: {names}.", style="green")
    return 0


@plugins.command
def schema(kind: str, /, *, api_version: str = "turngraph/v1") -> None:
    """Print the JSON schema of manifests of a kind, for editors.

    Parameters
    ----------
    kind
        Plugin, SqlPlugin, ApiPlugin, SqlConnection, ApiConnection, Secret, LLMClient or Provider.
    api_version
        The dialect: turngraph/v1 or smarter.sh/v1.
    """
    from turngraph.tools.manifests.schema import manifest_schema

    print(json.dumps(manifest_schema(kind, api_version), indent=2))


@plugins.command
def new(kind: str, /, *, name: str = "my_manifest") -> None:
    """Print a manifest of a kind to begin with.

    Parameters
    ----------
    kind
        Plugin, SqlPlugin, ApiPlugin, SqlConnection, ApiConnection, Secret, LLMClient or Provider.
    name
        In snake_case.
    """
    from turngraph.tools.manifests.schema import new_manifest

    print(new_manifest(kind, name), end="")


@plugins.command(name="try")
def try_(
    name: str, /, *arguments: str, source: Path = Path("plugins"), allow_host: Hosts = ()
) -> int:
    """Run a plugin on its test values, or on others: turngraph plugins try NAME key=value.

    Exits with 0 for an answer, 1 where the plugin failed.

    Parameters
    ----------
    name
        Of the plugin.
    arguments
        As key=value; a value that is JSON is that value, any other is text.
    source
        The file or folder of its manifests.
    """
    from turngraph.state.errors import ToolError, TurnConfigurationError
    from turngraph.tools.manifests.checking import parse_pairs, try_plugin
    from turngraph.tools.manifests.loading import load_manifests

    try:
        given = parse_pairs(arguments)
    except ValueError as exc:
        raise TurnConfigurationError(str(exc)) from exc
    manifests = load_manifests(_there(source), allow_hosts=allow_host)
    try:
        output = try_plugin(manifests, name, given)
    except ToolError as exc:
        print(exc, file=sys.stderr)
        return 1
    finally:
        manifests.close()
    print(output.content)
    return 0 if output.status == "ok" else 1


def _there(source: Path) -> Path:
    from turngraph.state.errors import TurnConfigurationError

    if not source.exists():
        raise TurnConfigurationError(
            f"There is no file or folder `{source}`. Name where the manifests are (`try`: with --source)."
        )
    return source
