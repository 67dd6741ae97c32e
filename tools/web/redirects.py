"""Decides whether and how a redirect is followed, and what is sent to its target."""

from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urljoin, urlsplit

from langchain_core.tools import ToolException

from turngraph.tools.web.hosts import well_formed

__all__ = ["REDIRECT_STATUSES", "Hop", "next_hop"]

REDIRECT_STATUSES: Final = {301, 302, 303, 307, 308}
MALFORMED: Final = "The service redirects to an address that is not well formed."


@dataclass(frozen=True, slots=True)
class Hop:
    """One request on the way through redirects. `credentials` only go to the first server."""

    method: str
    url: str
    headers: dict[str, str]
    credentials: dict[str, str]
    body: bytes | None


def next_hop(hop: Hop, status: int, location: str) -> Hop:
    """Returns the request that follows a redirect of `hop` with this status and `Location`.

    Raises ToolException, with a sentence for the model, for a redirect that is not followed.
    """
    target = _target(hop.url, location)
    following = replace(hop, url=target)
    if _origin(target) != _origin(hop.url):
        # 307 and 308 repeat the body: another server would receive what was meant for this one.
        if hop.method not in ("GET", "HEAD"):
            raise ToolException(
                "The service redirects a request that writes to another server. turngraph does not "
                "follow that."
            )
        # Credentials must not leak to another server (curl: CVE-2018-1000007, requests:
        # CVE-2018-18074).
        headers = {name: v for name, v in hop.headers.items() if name not in hop.credentials}
        following = replace(following, headers=headers, credentials={})
    # 303 means "GET that instead"; for 301 and 302 after POST every client does the same
    # (https://www.rfc-editor.org/rfc/rfc9110#section-15.4).
    if status == 303 or (status in (301, 302) and hop.method == "POST"):
        headers = {name: v for name, v in following.headers.items() if name != "Content-Type"}
        following = replace(following, method="GET", headers=headers, body=None)
    return following


def _target(url: str, location: str) -> str:
    try:
        target = urljoin(url, location)
        scheme = urlsplit(target).scheme
    except ValueError:  # a bracket that is not closed
        raise ToolException(MALFORMED) from None
    if scheme not in ("http", "https"):
        raise ToolException("The service redirects to something that is not a web address.")
    # Whoever listens on the network could read the request, and its credentials with it.
    if url.startswith("https:") and not target.startswith("https:"):
        raise ToolException("The service redirects from https to http, which is not followed.")
    # Parsers disagree about these characters, so the host that is checked might not be the host
    # that is connected to (https://www.blackhat.com/docs/us-17/thursday/us-17-Tsai-A-New-Era-Of-SSRF-Exploiting-URL-Parser-In-Trending-Programming-Languages.pdf).
    ambiguous = "\\" in target or "@" in urlsplit(target).netloc
    if ambiguous or not target.isascii() or any(character <= " " for character in target):
        raise ToolException(MALFORMED)
    try:
        well_formed(target)
    except ValueError:
        raise ToolException(MALFORMED) from None
    return target


def _origin(url: str) -> tuple[str, str]:
    """Returns scheme and host of `url`: what decides who receives a request."""
    parts = urlsplit(url)
    return parts.scheme, parts.netloc.lower()
