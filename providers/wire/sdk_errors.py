"""Translates the errors of the OpenAI SDK, and of the HTTP libraries below it, into our own."""

import importlib
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

from turngraph.providers.wire.status_error import HttpStatusError
from turngraph.state.errors import ProviderError

__all__ = ["other_loops_translated", "translated_errors"]

_OTHER_LOOP = ("Event loop is closed", "different loop", "different event loop")


@contextmanager
def translated_errors(vendor: str) -> Iterator[None]:
    """Raises HttpStatusError and ProviderError in place of what the SDK and its libraries raise."""
    import openai

    http = _http_library()
    try:
        yield
    except openai.APIStatusError as exc:
        # Only clients that were handed in raise this; our own raise HttpStatusError from a hook.
        raise HttpStatusError(exc.status_code, exc.response.headers, exc.response.content) from None
    except (
        openai.APITimeoutError,
        openai.APIConnectionError,
        http.HTTPError,
        http.StreamError,
    ) as exc:
        raise _provider_error(exc, vendor, http) from exc


@contextmanager
def other_loops_translated(vendor: str) -> Iterator[None]:
    """Raises ProviderError where a client takes a connection of another event loop for a request.

    The client then drops the connection, and nothing was sent over it.
    """
    try:
        yield
    except RuntimeError as exc:
        if not any(words in str(exc) for words in _OTHER_LOOP):
            raise
        text = "the chat model's connection belongs to another event loop"
        raise ProviderError(text, kind="connection", vendor=vendor) from exc


def _provider_error(exc: Exception, vendor: str, http: Any) -> ProviderError:
    """Returns the error for a request that got no answer; `billed` says whether it may have cost.

    The SDK's transport over aiohttp reports every broken connection as one that could not be made
    in time, even one that broke after the request was sent, which may be billed. So the error that
    aiohttp itself raised decides.
    """
    causes = _causes(exc)
    root = causes[-1]
    # These two are certain whatever library is in between: nothing can have been sent.
    if isinstance(root, socket.gaierror):
        text = "the endpoint's host name is unknown"
        return ProviderError(text, kind="connection", vendor=vendor)
    if isinstance(root, ConnectionRefusedError):
        text = "nobody answers at the endpoint"
        return ProviderError(text, kind="connection", vendor=vendor)
    cause = exc.__cause__ or exc
    # The sync client runs on httpx and has no aiohttp error; its own class names are reliable.
    aiohttp_error = next((e for e in causes if type(e).__module__.startswith("aiohttp.")), None)
    if aiohttp_error is None:
        connecting, timed_out = "Connect" in type(cause).__name__, http.TimeoutException
    else:
        connecting, timed_out = _raised_while_connecting(aiohttp_error), TimeoutError
    billed: Literal["none", "unknown"] = "none" if connecting else "unknown"
    if isinstance(aiohttp_error or cause, timed_out):
        text = "no connection" if connecting else "no answer"
        text = f"{text} in the time allowed"
        return ProviderError(text, kind="timeout", vendor=vendor, billed=billed)
    text = "nobody answers" if connecting else "the connection broke"
    name = type(aiohttp_error or cause).__name__
    return ProviderError(f"{text} ({name})", kind="connection", vendor=vendor, billed=billed)


def _raised_while_connecting(error: BaseException) -> bool:
    """Whether aiohttp raised `error` before anything was sent.

    https://docs.aiohttp.org/en/stable/client_reference.html#hierarchy-of-exceptions
    """
    names = ("ClientConnectorError", "ConnectionTimeoutError")
    return any(kind.__name__ in names for kind in type(error).__mro__)


def _causes(exc: BaseException) -> list[BaseException]:
    """Returns `exc` and the errors that caused it, the first cause last."""
    causes = [exc]
    while (cause := causes[-1].__cause__ or causes[-1].__context__) is not None:
        causes.append(cause)
    return causes


def _http_library() -> Any:
    """Returns the HTTP library that the SDK runs on: `httpx` up to SDK 2, `httpx2` from SDK 3."""
    import openai

    modules = (cls.__module__.partition(".")[0] for cls in openai.DefaultHttpxClient.__mro__)
    return importlib.import_module(next(name for name in modules if name.startswith("httpx")))
