"""The studio as an ASGI application."""

from collections.abc import Callable, Mapping
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from turngraph.state.errors import TurnConfigurationError

try:
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route
    from starlette.types import ASGIApp
except ModuleNotFoundError as exc:
    raise TurnConfigurationError(
        "The studio needs Starlette: pip install 'turngraph[studio]'."
    ) from exc

from turngraph.interfaces.studio.api import Api
from turngraph.interfaces.studio.catalog import Catalog
from turngraph.interfaces.studio.index import index_page
from turngraph.interfaces.studio.requests import Endpoint, refusing
from turngraph.interfaces.studio.rules import Rules
from turngraph.interfaces.studio.security import SameOrigin
from turngraph.interfaces.studio.walks import Walks
from turngraph.interfaces.user_graphs.loading import Graph

if TYPE_CHECKING:
    from turngraph.billing.ledger import Ledger

__all__ = ["app_for", "studio_app"]

_TYPES: Final = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
}


def studio_app(
    graphs: Mapping[str, Graph],
    *,
    ledger: "Ledger | None" = None,
    may_change: Callable[[Mapping[str, Any]], bool] = lambda scope: True,
) -> ASGIApp:
    """Returns the studio of `graphs` as an ASGI application, to be mounted below any path.

    It answers whoever reaches it: put it behind your own authentication. What another page's script
    sends is refused.

    Args:
        graphs: compiled graphs, by the names that the page shows.
        ledger: whose spending is shown; by default that of the graphs' own turns.
        may_change: is given the ASGI scope of each request, and says whether its sender may start,
            step and edit runs. Others may look at stored threads.

        >>> from langgraph.graph import MessagesState, StateGraph
        >>> graph = StateGraph(MessagesState).add_node("n", print).set_entry_point("n").compile()
        >>> app = studio_app({"mine": graph})
    """
    return app_for(Catalog(graphs), Walks(), ledger, Rules(may_change))


def app_for(
    catalog: Catalog,
    walks: Walks,
    ledger: "Ledger | None",
    rules: Rules = Rules(),  # noqa: B008, they do not change
    account: str | None = None,
) -> ASGIApp:
    """Returns the studio of a catalog, which may change while it is shown. With `account`, the page
    of spending is that account's alone.
    """
    api = Api(catalog, walks, ledger, rules, account)
    get: list[tuple[str, Endpoint]] = [
        ("/api/studio", api.studio),
        ("/api/changes", api.changes),
        ("/api/threads", api.threads),
        ("/api/spending", api.spending),
        ("/api/walks/{walk}", api.walk),
        ("/api/walks/{walk}/events", api.events),
        ("/api/walks/{walk}/messages", api.search),
        ("/api/walks/{walk}/copies/{form}", api.copy),
        ("/api/walks/{walk}/file", api.file),
    ]
    return Starlette(
        routes=[
            Route("/", _index),
            Route("/page/{name}", _file),
            *(Route(path, refusing(endpoint), methods=["GET"]) for path, endpoint in get),
            Route("/api/walks", refusing(api.start), methods=["POST"]),
            Route("/api/walks/{walk}", refusing(api.close), methods=["DELETE"]),
            Route("/api/walks/{walk}/moves", refusing(api.move), methods=["POST"]),
            Route("/api/walks/{walk}/stop", refusing(api.stop), methods=["POST"]),
            Route("/api/walks/{walk}/thread", refusing(api.write), methods=["POST"]),
        ],
        middleware=[Middleware(SameOrigin)],
    )


async def _index(request: Request) -> Response:
    return index_page()


def _files() -> Mapping[str, tuple[bytes, str]]:
    """What the browser may load, by name; the widget is the notebook's own."""
    folders = ("turngraph.interfaces.studio.page", "turngraph.interfaces.stepper.views.script")
    found = (file for folder in folders for file in files(folder).iterdir())
    return {
        file.name: (file.read_bytes(), _TYPES[suffix])
        for file in found
        if (suffix := "." + file.name.rpartition(".")[2]) in _TYPES
    }


_FILES: Final = _files()


async def _file(request: Request) -> Response:
    content, kind = _FILES.get(request.path_params["name"], (b"", ""))
    if not kind:
        return Response("There is no such file.\n", 404, media_type="text/plain")
    return Response(content, media_type=kind)
