"""Loads a graph of the user's own by its name, as in `agent.py:app`.

What is loaded is the user's program: its file is imported, and runs, as `python agent.py` would.
"""

import asyncio
import importlib
import inspect
import sys
import traceback
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from langgraph.graph import StateGraph
from langgraph.pregel import Pregel

from turngraph.interfaces.user_graphs.langgraph_json import CONFIG_FILE, Project, read_project
from turngraph.state.errors import TurnConfigurationError

__all__ = ["LoadedGraph", "graphs_in_module", "load_graph", "load_object"]

Graph = Pregel[Any, Any, Any, Any]


@dataclass(frozen=True)
class LoadedGraph:
    """A graph, and where it was found."""

    reference: str
    """What the user typed."""
    graph: Graph
    file: Path | None
    """The file that defines it, to be watched for changes; None for a module without one."""
    name: str = ""
    """Its name in that file."""

    @property
    def owner(self) -> str:
        """What tells it from every other graph of this machine, whatever the user typed."""
        return self.reference if self.file is None else f"{self.file}:{self.name}"


def load_graph(reference: str, folder: Path, environ: MutableMapping[str, str]) -> LoadedGraph:
    """Returns the graph that `reference` names.

    Args:
        reference: `agent.py:app`, `package.module:app`, `agent.py` if the file has one graph, or a
            name from `langgraph.json`.
        folder: where paths begin, and where `langgraph.json` is looked for.
        environ: the environment; variables that `langgraph.json` gives are added to it.

    The name may be that of a compiled graph, of a `StateGraph`, or of a function that returns one
    of them, without arguments or with a configuration as its only one.

    Raises TurnConfigurationError if the file cannot be imported, or has no such graph; it then
    lists the graphs that were found.
    """
    project = read_project(folder)
    project.enter(environ)
    source, name = _source_and_name(reference, project)
    module = _import(source, folder)
    found = graphs_in_module(module)
    if not name and len(found) == 1:
        (name,) = found
    known = ", ".join(f"`{source}:{each}`" for each in found) or "none"
    if not name:
        raise TurnConfigurationError(f"Which graph of `{source}`? Graphs found: {known}.")
    value = _attribute(module, name)
    if value is None:
        raise TurnConfigurationError(f"`{source}` has no `{name}`. Graphs found: {known}.")
    try:
        graph = _as_graph(value)
    except KeyboardInterrupt:
        raise
    except BaseException as exc:  # as below, for a function that builds the graph
        raise TurnConfigurationError(
            f"`{source}:{name}` could not be built: {type(exc).__name__}: {exc}"
        ) from exc
    if graph is None:
        raise TurnConfigurationError(
            f"`{source}:{name}` is of type `{type(value).__name__}`, which is no LangGraph graph. "
            f"Graphs found: {known}."
        )
    return LoadedGraph(reference, graph, _file_of(module), name)


def load_object(reference: str, folder: Path) -> Any:
    """Returns what `module:name` or `file.py:name` names, such as a tool.

    Raises TurnConfigurationError if it cannot be imported or does not exist.
    """
    source, colon, name = reference.rpartition(":")
    if not colon or not source or not name:
        raise TurnConfigurationError(
            f"`{reference}` names nothing: type a module and a name, as in `my_tools:search`."
        )
    module = _import(source, folder)
    value = _attribute(module, name)
    if value is None:
        public = ", ".join(f"`{each}`" for each in vars(module) if not each.startswith("_"))
        raise TurnConfigurationError(f"`{source}` has no `{name}`. It has: {public or 'nothing'}.")
    return value


def graphs_in_module(module: ModuleType) -> tuple[str, ...]:
    """Returns the names of the graphs in a module, in the order of the file.

    A `StateGraph` counts only if nothing is compiled: most files have one beside what it becomes.
    """
    public = {name: value for name, value in vars(module).items() if not name.startswith("_")}
    compiled = tuple(name for name, value in public.items() if isinstance(value, Pregel))
    return compiled or tuple(name for name in public if isinstance(public[name], StateGraph))


def _source_and_name(reference: str, project: Project) -> tuple[str, str]:
    """Splits `agent.py:app`. A word without a colon is looked up in `langgraph.json`."""
    if ":" not in reference and not reference.endswith(".py"):
        if reference not in project.graphs:
            known = ", ".join(f"`{name}`" for name in project.graphs)
            where = f"{CONFIG_FILE} names {known}" if known else f"there is no {CONFIG_FILE} here"
            raise TurnConfigurationError(
                f"There is no graph `{reference}`: {where}. Type a file and a name: `agent.py:app`."
            )
        reference = project.graphs[reference]
    if reference.endswith(".py"):
        return reference, ""
    source, _, name = reference.rpartition(":")
    return source, name


def _import(source: str, folder: Path) -> ModuleType:
    """Imports a file or module. Whatever it raises becomes one sentence with the line."""
    file = (folder / source).resolve() if source.endswith(".py") else None
    if file is not None and not file.is_file():
        raise TurnConfigurationError(f"There is no file `{source}` in {folder.resolve()}.")
    if file is None and not all(part.isidentifier() for part in source.split(".")):
        raise TurnConfigurationError(
            f"`{source}` is neither a file of Python nor the name of a module. "
            "Type one of them and a name: `agent.py:app` or `package.module:app`."
        )
    root, module_name = (folder.resolve(), source) if file is None else _module_of(file)
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))  # as Python itself does for `python agent.py`
    importlib.invalidate_caches()
    try:
        module = importlib.import_module(module_name)
    except KeyboardInterrupt:
        raise
    except BaseException as exc:  # a file may call `sys.exit`, or raise a class of its own
        raise TurnConfigurationError(
            f"`{source}` cannot be imported: {_where(exc, file)}{type(exc).__name__}: "
            f"{_what(exc, file)}"
        ) from exc
    loaded = _file_of(module)
    if file is not None and loaded != file:
        raise TurnConfigurationError(
            f"`{source}` cannot be imported: another module is named `{module_name}` "
            f"({loaded or 'built in'}). Rename the file."
        )
    return module


def _module_of(file: Path) -> tuple[Path, str]:
    """The folder that must be importable, and the full name of the module in `file`.

    In a package both begin above the package, or its relative imports would fail.
    """
    root, parts = file.parent, [] if file.stem == "__init__" else [file.stem]
    while (root / "__init__.py").is_file():
        parts.insert(0, root.name)
        root = root.parent
    return root, ".".join(parts)


def _where(error: BaseException, file: Path | None) -> str:
    """The line of the user's file that the error came through: `line 3: `."""
    if isinstance(error, SyntaxError):
        return f"line {error.lineno}: " if _is_in(error, file) else ""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if file is not None and Path(frame.filename) == file]
    return f"line {lines[-1]}: " if lines else ""


def _what(error: BaseException, file: Path | None) -> str:
    """What is wrong. Of a mistake of syntax Python says the file and the line too; in the user's
    own file these have been said.
    """
    return error.msg if isinstance(error, SyntaxError) and _is_in(error, file) else str(error)


def _is_in(error: SyntaxError, file: Path | None) -> bool:
    return file is not None and error.filename is not None and Path(error.filename) == file


def _attribute(module: ModuleType, name: str) -> Any:
    value: Any = module
    for part in name.split("."):
        value = getattr(value, part, None)
    return value


def _as_graph(value: Any) -> Graph | None:
    """`value` as a compiled graph; a function is called for one. None for anything else."""
    if isinstance(value, StateGraph):
        return value.compile()
    if isinstance(value, Pregel) or not inspect.isroutine(value):
        return value if isinstance(value, Pregel) else None
    built = _call(value)
    if inspect.isawaitable(built):
        built = asyncio.run(_result(built))
    return None if inspect.isroutine(built) else _as_graph(built)


def _call(factory: Callable[..., Any]) -> Any:
    # LangGraph's server gives a configuration to factories that have a parameter for it.
    needed = [
        each
        for each in inspect.signature(factory).parameters.values()
        if each.default is each.empty
        and each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)
    ]
    return factory({"configurable": {}}) if len(needed) == 1 else factory()


async def _result(built: Awaitable[Any]) -> Any:
    return await built


def _file_of(module: ModuleType) -> Path | None:
    file = getattr(module, "__file__", None)
    return None if file is None else Path(file).resolve()
