"""`turngraph studio`: graphs of your own in the browser, stepped through, edited and compared."""

import gc
import os
import sys
import threading
import time
import webbrowser
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter
from cyclopts.validators import Number

from turngraph.interfaces.cli.ledger_options import open_ledger
from turngraph.interfaces.cli.threads import history_file, open_history, with_history
from turngraph.interfaces.user_graphs.langgraph_json import CONFIG_FILE, read_project
from turngraph.state.errors import TurnConfigurationError

if TYPE_CHECKING:
    from turngraph.billing.ledger import Ledger
    from turngraph.interfaces.studio.catalog import Catalog

__all__ = ["studio"]

_GRACE_S: Final = 5.0


def studio(
    *graphs: str,
    port: Annotated[int, Parameter(validator=Number(gte=0, lte=65535))] = 0,
    open: Annotated[bool, Parameter(negative="--no-open")] = True,
    ledger: Annotated[str | None, Parameter(env_var="TURNGRAPH_LEDGER")] = None,
    thread: Annotated[str | None, Parameter(name=("--thread", "-t"))] = None,
    history: Path | None = None,
) -> None:
    """Open a page in the browser on which graphs are run, stepped through, edited and compared.

    The page is served from this machine to this machine alone. Graphs are loaded again when their
    files change.

    Parameters
    ----------
    graphs
        Graphs of your own, as in agent.py:app. Default: those that langgraph.json names.
    port
        The port. Default: any free one.
    open
        Open the page in the browser. With --no-open its address is printed only.
    ledger
        The ledger whose spending is shown, as in sqlite:///turns.db. Default: that of the graphs'
        own turns.
    thread
        Begin with this stored thread of the first graph.
    history
        The SQLite file that stores the threads of graphs without a checkpointer of their own.
        Default: that of `turngraph chat`.
    """
    try:
        from turngraph.interfaces.studio.catalog import GraphFiles
        from turngraph.interfaces.studio.server import StudioServer
    except ModuleNotFoundError as exc:
        raise TurnConfigurationError(
            f"The studio needs `{exc.name}`: pip install 'turngraph[studio]'."
        ) from exc
    references = graphs or _references_of_project()
    with open_history(history or history_file(os.environ)) as saver, _opened(ledger) as book:
        files = GraphFiles(
            references,
            Path(),
            os.environ,
            lambda loaded: with_history(loaded.graph, saver, loaded.owner),
        )
        with StudioServer(files, book, port) as server:
            url = server.url if thread is None else server.open_thread(references[0], thread)
            _say(server.catalog, url)
            if open and _has_display(os.environ):
                # A browser may keep its caller waiting.
                threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
            # A full collection of garbage would look at every object of every import each time: a
            # pause of a tenth of a second between two steps.
            gc.freeze()
            threading.Thread(target=_end_anyway, args=(server.ended,), daemon=True).start()
            server.run()


def _end_anyway(ended: threading.Event) -> None:
    """Ends the process if code of the user's graphs runs on after the studio has closed.

    A node or an import that never returns cannot be stopped, and Python waits for its thread.
    """
    ended.wait()
    time.sleep(_GRACE_S)  # what ends by itself has ended this thread with the process
    print("turngraph: code of your graphs is still running. It is left there.", file=sys.stderr)
    sys.stderr.flush()
    os._exit(1)


def _say(catalog: "Catalog", url: str) -> None:
    problems = [entry.problem for entry in catalog.entries if entry.problem]
    if len(problems) == len(catalog.entries):
        raise TurnConfigurationError("\n".join(problems))
    for problem in problems:
        print(f"turngraph: {problem} The page shows it until it is mended.", file=sys.stderr)
    print(f"The studio is open at {url}", flush=True)
    print("Ctrl-c closes it.", file=sys.stderr)


def _references_of_project() -> tuple[str, ...]:
    names = tuple(read_project(Path()).graphs)
    if not names:
        raise TurnConfigurationError(
            f"Which graph? There is no {CONFIG_FILE} here that names one. "
            "Type a file and a name: turngraph studio agent.py:app"
        )
    return names


@contextmanager
def _opened(ledger: str | None) -> "Iterator[Ledger | None]":
    if ledger is None:
        yield None
        return
    with open_ledger(ledger) as book:
        yield book


def _has_display(environ: Mapping[str, str]) -> bool:
    """Returns whether a browser can show a window; without one, a text browser would take over.

    >>> _has_display({"SSH_CONNECTION": "10.0.0.1 50000 10.0.0.2 22"})
    False
    """
    if "SSH_CONNECTION" in environ:
        return False
    return sys.platform != "linux" or bool(environ.keys() & {"DISPLAY", "WAYLAND_DISPLAY"})
