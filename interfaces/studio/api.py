"""What the page asks the studio, as JSON."""

import asyncio
import re
import secrets
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse

from turngraph.interfaces.stepper.views.style import CSS
from turngraph.interfaces.studio.catalog import Catalog
from turngraph.interfaces.studio.copies import copy_of
from turngraph.interfaces.studio.live import Audience, Listener
from turngraph.interfaces.studio.requests import json_body
from turngraph.interfaces.studio.rules import Rules
from turngraph.interfaces.studio.saved_walks import open_walk, saved_walk
from turngraph.interfaces.studio.stored_threads import found_messages, list_threads
from turngraph.interfaces.studio.walk import SharedWalk
from turngraph.interfaces.studio.walks import Walks
from turngraph.state.errors import TurnInvocationError

if TYPE_CHECKING:
    from turngraph.billing.ledger import Ledger

__all__ = ["Api"]

_MOST_DAYS: Final = 366
_NOT_ALLOWED: Final = "You may look at stored threads here, but not start or change runs."
_NOT_TRUSTED: Final = "Runs are not opened from files here, nor written into threads."


class Api:
    """The endpoints. What takes long runs on another thread, so every page stays quick."""

    def __init__(
        self,
        catalog: Catalog,
        walks: Walks,
        ledger: "Ledger | None",
        rules: Rules,
        account: str | None,
    ) -> None:
        self._catalog, self._walks, self._given_ledger = catalog, walks, ledger
        self._rules, self._may_change, self._account = rules, rules.may_change, account

    async def studio(self, request: Request) -> Response:
        """The graphs, with the forms of their inputs, and the open walks."""
        entries = self._catalog.entries
        graphs = await asyncio.to_thread(lambda: [entry.description for entry in entries])
        return JSONResponse(
            {
                "graphs": graphs,
                "walks": [walk.summary() for walk in self._walks],
                "may_change": self._may_change(request.scope),
                "has_ledger": self._ledger is not None,
            }
        )

    async def changes(self, request: Request) -> Response:
        """Tells a page when graphs or walks have changed."""
        return _stream(self._walks.audience, request, lambda listener: None)

    async def threads(self, request: Request) -> Response:
        """The stored threads of a graph, all of them or those in which some words stand."""
        graph = self._catalog.graph(request.query_params.get("graph", ""))
        words = request.query_params.get("words", "").strip()
        others = request.query_params.get("others") == "yes"
        found = await asyncio.to_thread(
            lambda: list_threads(
                graph,
                words,
                self._ledger,
                self._account,
                others=others,
                siblings=self._catalog.graphs,
            )
        )
        return JSONResponse({"threads": found.threads, "left_out": found.left_out})

    async def spending(self, request: Request) -> Response:
        """What the ledger says of the last days."""
        if self._ledger is None:
            raise TurnInvocationError(
                "The studio has no ledger, and its graphs have none. Name one: --ledger."
            )
        from turngraph.interfaces.studio.spending import spending_report

        days = request.query_params.get("days", "30")
        if not re.fullmatch("[0-9]{1,3}", days) or not 1 <= int(days) <= _MOST_DAYS:
            raise TurnInvocationError(f"`days` is `{days}`; it must be 1 to {_MOST_DAYS}.")
        report = await asyncio.to_thread(spending_report, self._ledger, int(days), self._account)
        return JSONResponse(report)

    async def start(self, request: Request) -> Response:
        """Opens a walk: on an input, on a stored thread, or one that was saved."""
        given = await json_body(request)
        may_change = self._may_change(request.scope)
        if given.keys() & {"input", "saved"} and not may_change:
            raise HTTPException(403, _NOT_ALLOWED)
        if "saved" in given and not self._rules.is_trusting:
            raise HTTPException(403, _NOT_TRUSTED)
        await asyncio.to_thread(self._walks.make_room)
        name, thread = str(given.get("graph", "")), given.get("thread") or None
        if not given.keys() & {"input", "saved"} and thread is None:
            raise TurnInvocationError("A run begins with an input, or with a stored thread.")
        graph = self._catalog.graph(name)
        if "saved" in given:
            stepper = await asyncio.to_thread(
                open_walk, graph, str(given["saved"]), given.get("context")
            )
            walk = SharedWalk(name, stepper)
        else:
            begins_with = None
            context = given.get("context") if self._rules.is_trusting else None
            if "input" in given:
                begins_with = self._rules.checked_input(name, given["input"], thread)
            of_run = (begins_with, thread, context, self._rules.configurable)
            walk = await asyncio.to_thread(SharedWalk.begin, name, graph, *of_run)
        walk.guard = self._rules.guard
        walk.is_for_looking = not may_change
        self._walks.add(walk)
        return JSONResponse({"id": walk.id}, 201)

    async def close(self, request: Request) -> Response:
        """Closes a walk."""
        if not self._may_change(request.scope):
            raise HTTPException(403, _NOT_ALLOWED)
        # What is still running may take a while to end.
        await asyncio.to_thread(self._walks.close, request.path_params["walk"])
        return Response(status_code=204)

    async def walk(self, request: Request) -> Response:
        """What a page needs to show a walk, beside the view that the events bring."""
        walk = self._walk_of(request)
        choices = await asyncio.to_thread(walk.choices)
        return JSONResponse({**walk.summary(), "choices": choices, "css": CSS})

    async def events(self, request: Request) -> Response:
        """The view of a walk after every move, and the tokens while one is under way."""
        walk = self._walk_of(request)
        return _stream(walk.audience, request, walk.show_to)

    async def move(self, request: Request) -> Response:
        """Queues what a button asks; the events say what came of it."""
        walk, given = self._walk_of(request), await json_body(request)
        message = given.get("message")
        if not isinstance(message, dict):
            raise TurnInvocationError("A move is `{client, message: {action, …}}`.")
        if not self._may_change(request.scope):
            walk.check_looking(message)
        walk.move(str(given.get("client", "")), message)
        return Response(status_code=202)

    async def stop(self, request: Request) -> Response:
        """Stops the move that is under way."""
        if not self._may_change(request.scope):
            raise HTTPException(403, _NOT_ALLOWED)
        self._walk_of(request).stop()
        return Response(status_code=202)

    async def search(self, request: Request) -> Response:
        """The messages of a walk in which some words stand."""
        walk, words = self._walk_of(request), request.query_params.get("words", "").strip()
        messages = await asyncio.to_thread(lambda: walk.line.state.get("messages") or [])
        return JSONResponse({"found": found_messages(messages, words) if words else []})

    async def file(self, request: Request) -> Response:
        """The whole walk as a file, which the browser saves."""
        text = await asyncio.wrap_future(self._walk_of(request).look(saved_walk))
        disposition = {"Content-Disposition": 'attachment; filename="run.json"'}
        return Response(text, media_type="application/json", headers=disposition)

    async def write(self, request: Request) -> Response:
        """Writes the line, as it stands, into a thread of the graph's checkpointer."""
        if not self._may_change(request.scope):
            raise HTTPException(403, _NOT_ALLOWED)
        if not self._rules.is_trusting:
            raise HTTPException(403, _NOT_TRUSTED)
        walk, given = self._walk_of(request), await json_body(request)
        thread = str(given.get("thread", "")).strip() or walk.id
        target = None if thread == walk.thread else thread
        await asyncio.wrap_future(walk.look(lambda line: line.write_to(target)))
        return JSONResponse({"thread": thread})

    async def copy(self, request: Request) -> Response:
        """The walk as a program, a command, a recording or a test."""
        walk, form = self._walk_of(request), request.path_params["form"]
        return PlainTextResponse(await asyncio.to_thread(copy_of, walk.line, form))

    @property
    def _ledger(self) -> "Ledger | None":
        return self._given_ledger or self._catalog.ledger

    def _walk_of(self, request: Request) -> SharedWalk:
        return self._walks[request.path_params["walk"]]


def _stream(
    audience: Audience, request: Request, begin: Callable[[Listener], object]
) -> StreamingResponse:
    client = request.query_params.get("client") or secrets.token_urlsafe(8)

    async def events() -> AsyncIterator[str]:
        with audience.joined(client) as listener:
            begin(listener)
            async for event in listener.stream():
                yield event

    return StreamingResponse(events(), media_type="text/event-stream")
