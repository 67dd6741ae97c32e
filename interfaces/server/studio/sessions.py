"""Who is logged in at the studio, and the studio of each of them.

Sessions are in the memory of the process, as the runs are that its studio shows: a server with a
studio has one worker.
"""

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from langgraph.checkpoint.base import BaseCheckpointSaver
from starlette.types import ASGIApp

from turngraph.interfaces.server.caller import Caller
from turngraph.interfaces.server.errors import ServerError
from turngraph.interfaces.server.served_models import ModelSet, ServedModel
from turngraph.interfaces.server.service import Service
from turngraph.interfaces.server.studio.threads import AccountThreads, limited
from turngraph.interfaces.server.studio.writing import rules_for
from turngraph.interfaces.studio.app import app_for
from turngraph.interfaces.studio.catalog import Catalog
from turngraph.interfaces.studio.walks import Walks
from turngraph.interfaces.user_graphs.loading import Graph

__all__ = ["Session", "Sessions"]

_SECONDS: Final = 8 * 3_600
"""How long a login is good for."""
_MOST: Final = 20
"""How many logins an account may have; one more ends its oldest."""


@dataclass
class Session:
    """One login. Its key is checked anew with each request, and never sent to the browser."""

    key: str | None
    """None where the server asks for no key."""
    app: ASGIApp
    caller: Caller
    models: ModelSet
    walks: Walks = field(repr=False)


class Sessions:
    """The logins of one process, by the token in the browser's cookie."""

    def __init__(self) -> None:
        self._sessions: dict[str, Session] = {}

    async def log_in(self, key: str, headers: Mapping[str, str], service: Service) -> str:
        """Returns the token of a new session. `headers` are those of the request.

        Raises ServerError (401, 403) for a key that is not good for the studio.
        """
        caller = await service.callers.identify(_with_key(headers, key))
        _check_may_look(caller)
        theirs = [
            token for token, each in self._sessions.items() if each.caller.account == caller.account
        ]
        if len(theirs) >= _MOST:
            self.end(theirs[0])
        token = secrets.token_urlsafe(32)
        self._sessions[token] = _session(key, caller, service)
        asyncio.get_running_loop().call_later(_SECONDS, self.end, token)
        return token

    async def find(self, token: str, headers: Mapping[str, str], service: Service) -> Session:
        """Returns the session of a token, as its key and the served models are now.

        Raises ServerError (401, 403) if there is none, or its key is no longer good.
        """
        known = self._sessions.get(token)
        try:
            key = None if known is None else known.key
            caller = await service.callers.identify(_with_key(headers, key))
            _check_may_look(caller)
        except ServerError:
            self.end(token)
            raise
        if known is None:
            token = ""  # nobody is asked for a key here: all requests are one session
        elif token not in self._sessions:
            raise ServerError(401, "This login has just ended.", code="invalid_api_key")
        session = self._sessions.get(token)
        if session is not None and session.caller == caller and session.models is service.models:
            return session
        new = self._sessions[token] = _session(key, caller, service)
        if session is not None:
            _close(session)
        return new

    def end(self, token: str) -> None:
        """Ends a session, with its runs and the streams of its pages, if there is one."""
        session = self._sessions.pop(token, None)
        if session is not None:
            _close(session)

    def end_all(self) -> None:
        """Ends every session."""
        for token in list(self._sessions):
            self.end(token)


def _check_may_look(caller: Caller) -> None:
    """Raises ServerError (403) for a key without the scope `studio` or `studio:write`."""
    if not caller.scopes & {"studio", "studio:write"}:
        raise ServerError(
            403, "This key may not use the studio: it needs the scope `studio`.", param="key"
        )


def _close(session: Session) -> None:
    # What is still read may take a while to end.
    asyncio.get_running_loop().run_in_executor(None, session.walks.close_all)


def _with_key(headers: Mapping[str, str], key: str | None) -> dict[str, str]:
    """The headers as if the request had sent the key of its login, and no other."""
    others = {name: value for name, value in headers.items() if name != "authorization"}
    return others if key is None else {**others, "authorization": f"Bearer {key}"}


def _session(key: str | None, caller: Caller, service: Service) -> Session:
    walks, ledger = Walks(), service.store.ledger
    graphs = {
        name: _graph(model, AccountThreads(ledger, caller.account, name))
        for name, model in service.models.models.items()
        if caller.models is None or name in caller.models
    }
    app = app_for(Catalog(graphs), walks, ledger, rules_for(caller, service), caller.account)
    return Session(key, app, caller, service.models, walks)


def _graph(model: ServedModel, threads: AccountThreads) -> Graph:
    saver = model.kept.checkpointer
    assert isinstance(saver, BaseCheckpointSaver), "what is served has a checkpointer"
    return model.kept.copy({"checkpointer": limited(saver, threads)})
