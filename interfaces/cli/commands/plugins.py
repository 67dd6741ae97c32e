"""`turngraph plugins`: checks manifests, prints a schema or a first manifest, tries a plugin."""

import json
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from rich.console import Console

__all__ = ["plugins"]

plugins = App(
    name="plugins",
    help="Check plugin manifests, create one, and try a plugin.",
    help_epilogue="**Example:** `turngraph plugins new Plugin --name shop > plugins/shop.yaml`, "
    "then `turngraph plugins check plugins`",
)

AllowedHosts = Annotated[
    tuple[str, ...],
    Parameter(
        name="--allow-host",
        negative="",
        help="A host, as in localhost:8080, that API plugins may reach although its address is not "
        "public. May be given several times.",
    ),
]
ManifestKind = Annotated[
    str,
    Parameter(
        help="Plugin, SqlPlugin, ApiPlugin, SqlConnection, ApiConnection, Secret, LLMClient or "
        "Provider."
    ),
]


@plugins.command(
    help_epilogue="**Example:** `turngraph plugins check plugins`\n\n"
    "**Exit codes:** 0 no problem; 1 problems, one a line, with file, line and path."
)
def check(source: Path, /, *, connect: bool = False, allow_host: AllowedHosts = ()) -> int:
    """Check the manifests in a file or folder. Asks no database or service unless told to.

    Parameters
    ----------
    source
        A YAML file, or a folder that is searched with all its subfolders.
    connect
        Also open every connection once, with its secret from the environment.
    """
    from turngraph.tools.manifests.checking import check_connections, check_manifests

    report = check_manifests(_existing(source), allow_hosts=allow_host)
    for problem in report.problems:
        print(problem)
    for warning in report.warnings:
        print(f"{warning} (warning)")
    if report.manifests is None:
        return 1
    failed = 0
    for name, error in check_connections(report.manifests) if connect else ():
        print(f"{name}: {error or 'connected'}")
        failed += error is not None
    report.manifests.close()
    if failed:
        return 1
    names = ", ".join(plugin.name for plugin in report.manifests) or "none"
    Console(stderr=True, highlight=False).print(
        f"No problem was found. Plugins: {names}.", style="green"
    )
    return 0


@plugins.command(help_epilogue="**Example:** `turngraph plugins schema Plugin > plugin.json`")
def schema(kind: ManifestKind, /, *, api_version: str = "turngraph/v1") -> None:
    """Print the JSON schema of a kind of manifest, for editors.

    Parameters
    ----------
    api_version
        The dialect: turngraph/v1 or smarter.sh/v1.
    """
    from turngraph.tools.manifests.schema import manifest_schema

    print(json.dumps(manifest_schema(kind, api_version), indent=2))


@plugins.command(
    help_epilogue="**Example:** `turngraph plugins new Plugin --name shop > plugins/shop.yaml`"
)
def new(kind: ManifestKind, /, *, name: str = "my_manifest") -> None:
    """Print a manifest to begin with.

    Parameters
    ----------
    name
        The name of the plugin or other object, in snake_case.
    """
    from turngraph.tools.manifests.schema import new_manifest

    print(new_manifest(kind, name), end="")


@plugins.command(
    name="try",
    help_epilogue="**Example:** `turngraph plugins try planets --source examples/plugins`\n\n"
    "**Exit codes:** 0 the plugin answered; 1 it failed.",
)
def try_(
    name: str, /, *arguments: str, source: Path = Path("plugins"), allow_host: AllowedHosts = ()
) -> int:
    """Run a plugin once and print what it returns.

    Parameters
    ----------
    name
        The name of the plugin.
    arguments
        Arguments as key=value; a value that is JSON is read as JSON. Default: the test values of
        the manifest.
    source
        The file or folder with its manifests.
    """
    from turngraph.state.errors import ToolError, TurnConfigurationError
    from turngraph.tools.manifests.checking import parse_pairs, try_plugin
    from turngraph.tools.manifests.loading import load_manifests

    try:
        values = parse_pairs(arguments)
    except ValueError as exc:
        raise TurnConfigurationError(str(exc)) from exc
    manifests = load_manifests(_existing(source), allow_hosts=allow_host)
    try:
        output = try_plugin(manifests, name, values)
    except ToolError as exc:
        print(exc, file=sys.stderr)
        return 1
    finally:
        manifests.close()
    print(output.content)
    return 0 if output.status == "ok" else 1


def _existing(source: Path) -> Path:
    from turngraph.state.errors import TurnConfigurationError

    if not source.exists():
        raise TurnConfigurationError(
            f"There is no file or folder `{source}`. Name the one with the manifests; for `try`, "
            "with --source."
        )
    return source
