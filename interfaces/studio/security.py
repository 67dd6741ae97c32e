"""Who may talk to the studio: its own page, in a browser of this machine that has the token."""

import hmac
from http.cookies import CookieError, SimpleCookie
from typing import Final
from urllib.parse import parse_qs, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from turngraph.interfaces.foreign_pages import is_from_foreign_page, names_this_machine

__all__ = ["MAX_BODY_BYTES", "LoopbackGuard", "SameOrigin", "cookie_in"]

MAX_BODY_BYTES: Final = 8_000_000
_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
    # The page itself replaces this one by a policy that lets its own scripts run.
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}


class SameOrigin:
    """Refuses what another page sends, and forbids the browser what the studio does not need."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":  # there are no web sockets
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        asked = Headers(scope=scope)
        is_foreign = is_from_foreign_page(asked) and not _is_opened(asked, scope["method"])
        app = _FOREIGN if is_foreign else self._app
        await app(scope, receive, send_with_headers)


_FOREIGN: Final = PlainTextResponse(
    "Another page has sent this request. Only the studio's own page may.\n", 403
)


def _is_opened(headers: Headers, method: str) -> bool:
    """Whether a link on another page leads here; what is opened so does nothing by itself."""
    is_navigation = method == "GET" and headers.get("sec-fetch-mode") == "navigate"
    return is_navigation and "origin" not in headers


class LoopbackGuard:
    """Answers only requests to this machine by its own names that carry the token.

    The token comes once, in the address that the person opens, and from then on in a cookie, which
    no script can read and no other site's request carries.

    Args:
        app: what is guarded.
        token: the secret.
        port: where the studio listens; the cookies of two studios must not mix.
    """

    def __init__(self, app: ASGIApp, token: str, port: int) -> None:
        self._app, self._token, self._cookie = app, token, f"turngraph-studio-{port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request, or refuses it in a sentence."""
        if scope["type"] != "http":
            return
        headers = Headers(scope=scope)
        if not names_this_machine(headers.get("host", "")):
            text = "The studio answers only to 127.0.0.1 and localhost.\n"
            await PlainTextResponse(text, 421)(scope, receive, send)
        elif self._is_token(_query_token(scope)):  # also where the browser has the cookie already
            await self._enter(scope)(scope, receive, send)
        elif self._is_token(cookie_in(headers, self._cookie)):
            await self._app(scope, receive, send)
        else:
            text = (
                "This address needs its token. Open the whole address that `turngraph studio` has "
                "printed: it ends in ?token=...\n"
            )
            await PlainTextResponse(text, 403)(scope, receive, send)

    def _enter(self, scope: Scope) -> RedirectResponse:
        """Leads to the same address without the token, which then stands in no history."""
        query = parse_qs(scope["query_string"].decode("latin-1"))
        rest = urlencode({name: values for name, values in query.items() if name != "token"}, True)
        # Not `//host/…`: a path that begins so would lead to another machine.
        path = "/" + scope["path"].lstrip("/\\")
        answer = RedirectResponse(f"{path}?{rest}" if rest else path, 303)
        answer.set_cookie(self._cookie, self._token, httponly=True, samesite="strict")
        return answer

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self._token.encode())


def cookie_in(headers: Headers, name: str) -> str:
    """Returns the value of a cookie; "" if the request has none of that name."""
    try:
        morsel = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:
        return ""
    return "" if morsel is None else str(morsel.value)


def _query_token(scope: Scope) -> str:
    query = str(scope["query_string"], "latin-1")
    return parse_qs(query).get("token", [""])[-1]
