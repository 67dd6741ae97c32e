"""The graphs that the studio offers, and what could not be loaded, in words."""

import hashlib
import sys
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Final

from turngraph.drawing.svg import draw_svg
from turngraph.interfaces.plain_text import printable
from turngraph.interfaces.stepper.engine.task_controller import graphs_in
from turngraph.interfaces.studio.input_form import context_fields, input_fields
from turngraph.interfaces.user_graphs.langgraph_json import read_project
from turngraph.interfaces.user_graphs.loading import Graph, LoadedGraph, load_graph
from turngraph.nodes.support.stage import Stage
from turngraph.state.errors import TurnConfigurationError, TurngraphError
from turngraph.state.json_types import JsonObject

if TYPE_CHECKING:
    from turngraph.billing.ledger import Ledger

__all__ = ["Catalog", "Entry", "GraphFiles"]


@dataclass(frozen=True)
class Entry:
    """A graph by its name, or the sentence that says why there is none."""

    name: str
    graph: Graph | None
    problem: str = ""

    @cached_property
    def description(self) -> JsonObject:
        """What the page shows of the graph: its picture, and the fields of its form."""
        svg, fields, context = "", list[JsonObject](), list[JsonObject]()
        # Schemas and pictures are made by the user's own classes, which may raise anything. The
        # graph runs without them: its input is then typed as JSON.
        if self.graph is not None:
            with suppress(Exception):
                svg = draw_svg(self.graph)
            with suppress(Exception):
                fields = input_fields(self.graph)
            with suppress(Exception):
                context = context_fields(self.graph)
        about: JsonObject = {"name": self.name, "problem": self.problem, "svg": svg}
        return {**about, "fields": fields, "context": context}


class Catalog:
    """The graphs by name.

    >>> Catalog({}).names
    []
    """

    def __init__(self, graphs: Mapping[str, Graph]) -> None:
        self._entries = {name: Entry(name, graph) for name, graph in graphs.items()}

    @property
    def names(self) -> list[str]:
        """The names, in the order in which they were given."""
        return list(self._entries)

    @property
    def entries(self) -> list[Entry]:
        """Every graph, those that could not be loaded included."""
        return list(self._entries.values())

    @property
    def graphs(self) -> dict[str, Graph]:
        """The graphs by name, without those that could not be loaded."""
        return {each.name: each.graph for each in self.entries if each.graph is not None}

    def graph(self, name: str) -> Graph:
        """Returns a graph. Raises TurnConfigurationError if there is none of that name."""
        entry = self._entries.get(name)
        if entry is None:
            known = ", ".join(f"`{each}`" for each in self._entries) or "none"
            raise TurnConfigurationError(f"There is no graph `{name}` here. Graphs: {known}.")
        if entry.graph is None:
            raise TurnConfigurationError(entry.problem)
        return entry.graph

    @property
    def ledger(self) -> "Ledger | None":
        """The first ledger that a turn of the graphs is charged to, or None."""
        nodes = [
            node
            for each in self.graphs.values()
            for _, graph in graphs_in(each)
            for node in graph.nodes.values()
        ]
        stages = [node.bound for node in nodes if isinstance(node.bound, Stage)]
        return next((stage.deps.ledger for stage in stages if stage.deps.ledger is not None), None)

    def replace(self, entries: Iterable[Entry]) -> None:
        """Offers these entries in the place of those with the same names."""
        self._entries |= {entry.name: entry for entry in entries}


_KEPT_FOLDERS: Final = frozenset(("site-packages", "dist-packages"))


class GraphFiles:
    """Loads the graphs that references name, again whenever their files have changed.

    Args:
        references: as in `agent.py:app`, or names from `langgraph.json`.
        folder: where paths begin.
        environ: variables that `langgraph.json` gives are added to it.
        prepare: is given each graph as it is loaded and returns the one to offer.
    """

    def __init__(
        self,
        references: Iterable[str],
        folder: Path,
        environ: MutableMapping[str, str],
        prepare: Callable[[LoadedGraph], Graph],
    ) -> None:
        self._references, self._prepare = list(references), prepare
        self.folder, self._environ = folder.resolve(), environ
        self._sources: dict[Path, bytes] = {}  # what the user's modules were loaded from
        self._has_problems = False

    @property
    def watched(self) -> set[Path]:
        """The folders in which a change may concern the graphs: those of their files."""
        try:
            graphs = read_project(self.folder).graphs
        except TurngraphError:
            graphs = {}
        sources = (graphs.get(each, each).rpartition(":") for each in self._references)
        files = (self.folder / (source if colon else last) for source, colon, last in sources)
        return {file.parent.resolve() if file.is_file() else self.folder for file in files}

    def load(self) -> list[Entry]:
        """Loads every graph. What the user's code raises becomes the sentence of its entry.

        It must not be called on a running event loop: a graph may be built by a coroutine.
        """
        # Two versions of a file that are saved within a second may look like one to the byte code
        # that Python keeps, which it compares by time and length.
        before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
        try:
            entries = [self._entry(reference) for reference in self._references]
        finally:
            sys.dont_write_bytecode = before
        self._has_problems = any(entry.problem for entry in entries)
        self._sources = {file: _content(file) for file in self._own_files()}
        return entries

    def are_concerned(self, changed: Iterable[Path]) -> bool:
        """Returns whether the graphs must be loaded again after these files have changed.

        That is so if one of them was imported and has another content now. While a graph cannot be
        loaded, any file may be what it lacks.
        """
        if self._has_problems:
            return True
        files = self._own_files().intersection(file.resolve() for file in changed)
        return any(_content(file) != self._sources.get(file) for file in files)

    def load_again(self) -> list[Entry]:
        """Imports the user's modules again, and loads every graph from them.

        If a file cannot be imported any more, its modules from before stay as they were.
        """
        before = dict(sys.modules)
        for name in self._own_modules():
            del sys.modules[name]
        entries = self.load()
        for name, module in before.items():
            sys.modules.setdefault(name, module)
        return entries

    def still_loading(self) -> list[Entry]:
        """Returns what stands in the place of the graphs while their files take long to import."""
        return [
            Entry(
                reference,
                None,
                f"`{reference}` is still being imported. If that does not end, close the studio "
                "with ctrl-c, mend the file, and start the studio again.",
            )
            for reference in self._references
        ]

    def _entry(self, reference: str) -> Entry:
        try:
            loaded = load_graph(reference, self.folder, self._environ)
            return Entry(reference, self._prepare(loaded))
        except TurngraphError as exc:
            return Entry(reference, None, printable(str(exc)))
        except Exception as exc:  # noqa: BLE001  a graph of the user's own class may raise anything
            problem = f"`{reference}` cannot be used: {type(exc).__name__}: {exc}"
            return Entry(reference, None, printable(problem))

    def _own_modules(self) -> dict[str, ModuleType]:
        modules = dict(sys.modules)
        return {name: each for name, each in modules.items() if self._is_own(name, each)}

    def _own_files(self) -> set[Path]:
        return {Path(str(each.__file__)).resolve() for each in self._own_modules().values()}

    def _is_own(self, name: str, module: ModuleType) -> bool:
        """Whether a module is the user's: it stands in their folder and was not installed there."""
        if name in ("__main__", "turngraph") or name.startswith("turngraph."):
            return False
        file = Path(getattr(module, "__file__", None) or "/")
        installed = _KEPT_FOLDERS & set(file.parts) or file.is_relative_to(sys.prefix)
        return file.is_relative_to(self.folder) and not installed


def _content(file: Path) -> bytes:
    """What stands in the file, as a digest; of a file that is gone, nothing."""
    try:
        return hashlib.sha256(file.read_bytes()).digest()
    except OSError:
        return b""
