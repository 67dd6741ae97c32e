"""Reads `langgraph.json`, the file in which LangGraph projects name their graphs.

Source: https://docs.langchain.com/langgraph-platform/cli#configuration-file
"""

import json
import sys
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from turngraph.interfaces.config_file import read_config_file
from turngraph.state.errors import TurnConfigurationError

__all__ = ["CONFIG_FILE", "Project", "read_project"]

CONFIG_FILE: Final = "langgraph.json"


@dataclass(frozen=True)
class Project:
    """What a `langgraph.json` says, as far as loading a graph needs it."""

    folder: Path
    graphs: Mapping[str, str] = field(default_factory=dict)
    """By name, where each graph is: `./agent.py:app` or `package.module:app`."""
    folders: tuple[Path, ...] = ()
    """Folders of the project's own code: those of `dependencies` that are paths."""
    env: Mapping[str, str] = field(default_factory=dict)

    def enter(self, environ: MutableMapping[str, str]) -> None:
        """Makes the project's code importable, and sets the variables that are not set yet."""
        for folder in self.folders:
            if str(folder) not in sys.path:
                sys.path.append(str(folder))
        for name, value in self.env.items():
            environ.setdefault(name, value)


def read_project(folder: Path) -> Project:
    """Returns what `langgraph.json` in `folder` says; an empty project if there is no such file.

    Raises TurnConfigurationError if the file cannot be read.
    """
    file = folder / CONFIG_FILE
    if not file.is_file():
        return Project(folder)
    content = read_config_file(file, json.loads)
    if not isinstance(content, dict) or not isinstance(content.get("graphs", {}), dict):
        raise TurnConfigurationError(
            f"`{file}` is no langgraph.json: it must be an object whose member `graphs` is one too."
        )
    if not isinstance(content.get("dependencies", []), list):
        raise TurnConfigurationError(f"`{file}`: `dependencies` must be a list.")
    paths = [each for each in content.get("dependencies", ()) if str(each).startswith(".")]
    return Project(
        folder,
        {name: _path_of(name, graph, file) for name, graph in content.get("graphs", {}).items()},
        tuple((folder / path).resolve() for path in paths),
        _env(content.get("env"), folder),
    )


def _path_of(name: str, graph: Any, file: Path) -> str:
    # A graph is a path, or an object that has one beside a description.
    path = graph.get("path") if isinstance(graph, dict) else graph
    if not isinstance(path, str):
        raise TurnConfigurationError(
            f"`{file}`: the graph `{name}` needs a path, as in `./agent.py:app`."
        )
    return path


def _env(env: Any, folder: Path) -> Mapping[str, str]:
    """The variables of the member `env`: an object, or the path of a file of variables."""
    from dotenv import dotenv_values

    if isinstance(env, dict):
        return {str(name): str(value) for name, value in env.items()}
    values = dotenv_values(folder / env) if isinstance(env, str) else {}
    return {name: value for name, value in values.items() if value is not None}
