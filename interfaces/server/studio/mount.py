"""The studio below `/studio`, behind a login with a key."""

import secrets
from html import escape
from typing import Final
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import (
    HTMLResponse,
    JSONResponse,
    RedirectResponse,
    Response,
)
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from turngraph.interfaces.server.errors import ServerError
from turngraph.interfaces.server.service import Service
from turngraph.interfaces.server.studio.sessions import Sessions
from turngraph.interfaces.studio.security import SameOrigin, cookie_in

__all__ = ["studio_mount"]

_MOST_BYTES: Final = 8_192
"""How long the form of the login may be."""


def studio_mount(sessions: Sessions, port: int) -> ASGIApp:
    """Returns the studio with its login. What another page's script sends is refused.

    Args:
        sessions: who is logged in.
        port: where the server listens; the cookies of two servers of a machine must not mix.
    """
    return SameOrigin(_Mount(sessions, f"turngraph-studio-{port}"))


class _Mount:
    def __init__(self, sessions: Sessions, cookie: str) -> None:
        self._sessions, self._cookie = sessions, cookie

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request, with the studio of whoever has sent it."""
        if scope["type"] != "http":  # the studio has no web sockets
            await WebSocketClose()(scope, receive, send)
            return
        app = await self._app_for(Request(scope, receive))
        # Of its own: the studio is an application that writes its name into the scope.
        await app(dict(scope), receive, send)

    async def _app_for(self, request: Request) -> ASGIApp:
        path = request.scope["path"].removeprefix(request.scope["root_path"])
        token = cookie_in(request.headers, self._cookie)
        service: Service = request.app.state.service
        if path == "/login":
            return await self._log_in(request, service)
        try:
            session = await self._sessions.find(token, request.headers, service)
        except ServerError as exc:
            if path == "/":
                return _login_page(exc.status, exc.message if token else "")
            text = exc.message if exc.status == 403 else "Log in first: load the page again."
            return JSONResponse({"error": text}, exc.status)
        request.state.caller = session.caller
        return session.app

    async def _log_in(self, request: Request, service: Service) -> Response:
        if request.method != "POST":
            return RedirectResponse("./", 303)
        try:
            key = await _posted_key(request)
            token = await self._sessions.log_in(key, request.headers, service)
        except ServerError as exc:
            return _login_page(exc.status, exc.message)
        answer = RedirectResponse("./", 303)
        answer.set_cookie(
            self._cookie,
            token,
            path=request.scope["root_path"],
            secure=request.url.scheme == "https",
            httponly=True,
            samesite="strict",
        )
        return answer


async def _posted_key(request: Request) -> str:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > _MOST_BYTES:
            raise ServerError(413, "That is no key: it is too long.")
    return parse_qs(body.decode("latin-1")).get("key", [""])[-1].strip()


def _login_page(status: int, problem: str) -> HTMLResponse:
    nonce = secrets.token_urlsafe(16)
    policy = (
        f"default-src 'none'; style-src 'nonce-{nonce}'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    )
    html = _PAGE.format(nonce=nonce, problem=escape(problem))
    return HTMLResponse(html, status, headers={"Content-Security-Policy": policy})


_PAGE: Final = """\
<!doctype html>
<html lang="en">
  <meta charset="utf-8" />
  <meta name="viewport" content="width=device-width, initial-scale=1" />
  <title>Log in - turngraph studio</title>
  <style nonce="{nonce}">
    :root {{ color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; }}
    main {{ max-width: 26rem; margin: 15vh auto; padding: 0 1rem; }}
    label, input {{ display: block; width: 100%; box-sizing: border-box; }}
    input, button {{ font: inherit; padding: 0.4rem 0.6rem; margin: 0.3rem 0 0.6rem; }}
  </style>
  <main>
    <h1>turngraph studio</h1>
    <p role="alert">{problem}</p>
    <form method="post" action="login">
      <label for="key">API key</label>
      <input id="key" name="key" type="password" autocomplete="off" required autofocus />
      <button>Log in</button>
    </form>
    <p>It shows the stored threads and the spending of the key's account. The key needs the scope
      <code>studio</code>.</p>
  </main>
</html>
"""
