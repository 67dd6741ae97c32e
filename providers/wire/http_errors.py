"""Translates aiohttp's errors into turngraph's own."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from turngraph.state.errors import ProviderError

if TYPE_CHECKING:
    from aiohttp import ClientHttpProxyError

__all__ = ["deadline_passed", "http_errors_translated", "whole_time_over"]


@contextmanager
def http_errors_translated(
    vendor: str, *, answer_began: bool = False, silence_s: float | None = None
) -> Iterator[None]:
    """Raises ProviderError for whatever aiohttp raises.

    silence_s: the seconds that an answer may take to begin, named where it took longer.
    answer_began: whether the body is being read. A vendor whose answer began, if only with a part
        of its head, has served the request and may charge for it, so the error is not retryable.

    `billed` is "none" only if aiohttp says that no connection was made. After that the request may
    have arrived, and may be charged for.
    https://docs.aiohttp.org/en/stable/client_reference.html#hierarchy-of-exceptions
    """
    import aiohttp

    from turngraph.providers.wire.http_connection import answer_began as head_began

    try:
        yield
    except aiohttp.ClientHttpProxyError as exc:
        raise _proxy_refusal(exc, vendor) from exc
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as exc:
        raise _connection_error(exc, vendor) from exc
    except TimeoutError as exc:
        allowed = "in the time allowed" if silence_s is None else f"within {silence_s:g} seconds"
        text = f"no answer {allowed}"
        retryable = False if answer_began or head_began(exc) else None
        raise ProviderError(
            text, kind="timeout", vendor=vendor, billed="unknown", retryable=retryable
        ) from exc
    except aiohttp.ClientResponseError as exc:
        # A status line, header or chunk that is no HTTP. The answer itself was made, and may cost.
        text = f"the answer is not valid HTTP ({exc.message[:200]})"
        raise ProviderError(text, kind="protocol", vendor=vendor, billed="unknown") from exc
    except (aiohttp.ClientError, OSError, ValueError) as exc:
        cause = exc.__cause__
        # aiohttp takes a body that ends too early for a malformed message too.
        is_cut = "Not enough data" in str(cause)
        if isinstance(cause, aiohttp.http_exceptions.BadHttpMessage) and not is_cut:
            text = f"the answer is not valid HTTP ({type(cause).__name__})"
            raise ProviderError(text, kind="protocol", vendor=vendor, billed="unknown") from exc
        if answer_began or head_began(exc):
            text = f"the connection broke within the answer ({type(exc).__name__})"
            raise ProviderError(text, kind="truncated", vendor=vendor, billed="unknown") from exc
        text = f"the connection broke ({type(exc).__name__})"
        raise ProviderError(text, kind="connection", vendor=vendor, billed="unknown") from exc


def _proxy_refusal(exc: "ClientHttpProxyError", vendor: str) -> ProviderError:
    """Returns the error for a proxy that makes no tunnel to the endpoint: nothing was sent."""
    refused = exc.status < 500
    kind: Literal["authentication", "connection"] = "connection"
    text = f"the proxy makes no connection to the endpoint (status {exc.status})"
    if exc.status == 407:
        kind, text = "authentication", "the proxy wants a user name and password: see `proxy`"
    return ProviderError(text, kind=kind, vendor=vendor, retryable=not refused)


def _connection_error(exc: Exception, vendor: str) -> ProviderError:
    """Returns the error for a connection that was never made: nothing was sent, nothing costs."""
    import aiohttp

    cause = getattr(exc, "os_error", None) or exc.__cause__
    kind: Literal["connection", "timeout"] = "connection"
    if isinstance(exc, TimeoutError):
        kind, text = "timeout", "no connection in the time allowed"
    elif isinstance(exc, aiohttp.ClientProxyConnectionError):
        text = f"the proxy cannot be reached ({type(cause).__name__})"
    elif isinstance(cause, socket.gaierror):
        text = "the endpoint's host name is unknown"
    elif isinstance(cause, ConnectionRefusedError):
        text = "nobody answers at the endpoint"
    elif isinstance(cause, ssl.SSLError):
        text = f"no secure connection ({cause.reason or type(cause).__name__})"
    else:
        text = f"nobody answers ({type(exc).__name__})"
    return ProviderError(text, kind=kind, vendor=vendor)


@contextmanager
def deadline_passed(vendor: str, seconds: float) -> Iterator[None]:
    """Raises ProviderError where the time for a whole exchange is over."""
    try:
        yield
    except TimeoutError as exc:
        raise whole_time_over(vendor, seconds) from exc


def whole_time_over(vendor: str, seconds: float) -> ProviderError:
    """Returns the error for an exchange that took longer than the time for a whole one.

    A silent vendor is given up earlier (`Timeouts.first_byte_s`). So this one was at work or has
    begun to answer, may charge for it, and is not asked again.
    """
    text = f"no whole answer within {seconds:g} seconds"
    return ProviderError(text, kind="timeout", vendor=vendor, billed="unknown", retryable=False)
