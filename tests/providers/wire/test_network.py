"""Proxies and certificates, with a real proxy and real TLS on the loopback address."""

import asyncio
import socket
import ssl
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import trustme

from turngraph.providers.config import ProviderConfig
from turngraph.providers.openai_provider import OpenAIProvider
from turngraph.providers.wire.network import proxy_of
from turngraph.state.errors import ProviderError, TurnConfigurationError

ANSWER = b'{"choices": [{"message": {"content": "4"}, "finish_reason": "stop"}]}'
VENDOR = "vendor.test"
"""A name that only the proxy can resolve."""
PROXY_VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
both_ways = pytest.mark.parametrize("way", ["sync", "async"])


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of this machine must not decide these tests."""
    for name in PROXY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


class Peer:
    """A server in threads: the vendor, in plain or by TLS, or a proxy before it."""

    def __init__(self, tls: ssl.SSLContext | None = None, vendor: "Peer | None" = None) -> None:
        self._tls, self._vendor = tls, vendor
        self.refuses: bytes | None = None
        self.heads: list[str] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                line = self._listening.accept()[0]
                threading.Thread(target=self._serve, args=(line,), daemon=True).start()

    def _serve(self, line: socket.socket) -> None:
        with suppress(OSError), line:
            if self._tls is not None:
                line = self._tls.wrap_socket(line, server_side=True)
            with line:
                head = _read_head(line)
                self.heads.append(head)
                if self.refuses is not None:
                    line.sendall(self.refuses)
                elif self._vendor is not None and head.startswith("CONNECT"):
                    self._tunnel(line, self._vendor.port)
                else:
                    line.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(ANSWER))
                    line.sendall(ANSWER)

    def _tunnel(self, line: socket.socket, port: int) -> None:
        line.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with socket.create_connection(("127.0.0.1", port)) as out:
            back = threading.Thread(target=_copy, args=(out, line), daemon=True)
            back.start()
            _copy(line, out)
            back.join()


def _read_head(line: socket.socket) -> str:
    data = b""
    while b"\r\n\r\n" not in data and (piece := line.recv(65536)):
        data += piece
    return data.decode("latin-1")


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(65536):
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)


@contextmanager
def peers(*started: Peer) -> Iterator[None]:
    try:
        yield
    finally:
        for peer in started:
            peer.close()


def ask(way: str, base_url: str, **fields: Any) -> str:
    """The answer's text; the configuration has a key."""
    config = ProviderConfig(model="m", base_url=base_url, api_key="sk-key", **fields)
    provider = OpenAIProvider(config)
    body = {"model": "m"}

    async def ask_async() -> str:
        reply = await provider.asend(body)
        await provider.aclose()
        return reply.text

    if way == "async":
        return asyncio.run(ask_async())
    try:
        return provider.send(body).text
    finally:
        provider.close()


class Certificates:
    """What a company's own authority issues, as files."""

    def __init__(self, folder: Path) -> None:
        authority = trustme.CA()
        server = authority.issue_cert(VENDOR, "127.0.0.1")
        client = authority.issue_cert("client@example.com")
        self.bundle = str(folder / "ca.pem")
        self.client = str(folder / "client.pem")
        self.pair = (str(folder / "cert.pem"), str(folder / "key.pem"))
        authority.cert_pem.write_to_path(self.bundle)
        client.private_key_and_cert_chain_pem.write_to_path(self.client)
        client.cert_chain_pems[0].write_to_path(self.pair[0])
        client.private_key_pem.write_to_path(self.pair[1])
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.configure_cert(self.tls)
        authority.configure_trust(self.tls)


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return Certificates(tmp_path)


@both_ways
@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_the_environments_proxy_is_used(
    variable: str, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As other clients do; a proxy without a scheme is an HTTP proxy."""
    proxy = Peer()
    monkeypatch.setenv(variable, f"127.0.0.1:{proxy.port}")
    with peers(proxy):
        assert ask(way, f"http://{VENDOR}/v1") == "4"
    assert proxy.heads[0].startswith(f"POST http://{VENDOR}/v1/chat/completions HTTP/1.1\r\n")
    assert "Authorization: Bearer sk-key" in proxy.heads[0]


@both_ways
def test_a_host_in_no_proxy_is_asked_directly(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """And so is everything where `proxy` is empty."""
    proxy, vendor = Peer(), Peer()
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
    with peers(proxy, vendor):
        assert ask(way, f"http://127.0.0.1:{vendor.port}/v1", proxy="") == "4"
        monkeypatch.setenv("NO_PROXY", "example.com,127.0.0.1")
        assert ask(way, f"http://127.0.0.1:{vendor.port}/v1") == "4"
    assert (len(proxy.heads), len(vendor.heads)) == (0, 2)


@pytest.mark.parametrize(
    ("no_proxy", "host", "direct"),
    [
        ("localhost,127.0.0.1,::1", "[::1]:8000", True),
        ("[::1]", "[::1]:8000", True),
        ("fd00::/8", "[fd12::1]", True),
        ("::1", "[::2]:8000", False),
        ("10.0.0.0/8", "10.1.2.3:8000", True),
        (" .svc , 10.0.0.1/8 ", "10.1.2.3", True),
        ("10.0.0.0/8,::1", "11.1.2.3", False),
        ("127.0.0.1:8000", "127.0.0.1:8000", True),
        ("corp.example", "models.corp.example", True),
        (".corp.example", "MODELS.corp.example:8080", True),
        ("corp.example", "notcorp.example", False),
        ("*", "models.example", True),
        ("10.0.0.0/99", "10.1.2.3", False),
    ],
)
def test_no_proxy_has_names_addresses_and_networks(
    no_proxy: str, host: str, direct: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As curl and requests read it."""
    monkeypatch.setenv("ALL_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", no_proxy)
    config = ProviderConfig(model="m", base_url=f"http://{host}/v1", api_key="k")
    assert proxy_of(config) == (None if direct else "http://proxy.example:3128")


@both_ways
@pytest.mark.parametrize("user", ["me:p%E2%82%ACss", "m%C3%A9:p%C3%A9", "token", ":secret"])
def test_credentials_of_a_proxy_are_sent_in_utf_8(user: str, way: str) -> None:
    """As curl and httpx do; aiohttp alone would refuse all that is not Latin-1."""
    proxy = Peer()
    with peers(proxy):
        assert ask(way, f"http://{VENDOR}/v1", proxy=f"http://{user}@127.0.0.1:{proxy.port}") == "4"
    sent = b64encode(unquote(user if ":" in user else f"{user}:").encode()).decode()
    assert f"Proxy-Authorization: Basic {sent}\r\n" in proxy.heads[0]


@both_ways
def test_a_proxy_tunnels_to_an_endpoint_with_tls(
    way: str, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proxy sees the host alone: neither the key nor the prompt."""
    vendor = Peer(certificates.tls)
    proxy = Peer(vendor=vendor)
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
    with peers(proxy, vendor):
        assert ask(way, f"https://{VENDOR}/v1", ca_bundle=certificates.bundle) == "4"
    assert proxy.heads[0].startswith(f"CONNECT {VENDOR}:443 HTTP/1.1\r\n")
    assert "sk-key" not in proxy.heads[0]
    assert "Authorization: Bearer sk-key" in vendor.heads[0]


@both_ways
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_configured_proxy_gets_its_own_password(
    scheme: str, way: str, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It wins over the environment's; the vendor's key stays beside it."""
    vendor = Peer(certificates.tls)
    proxy = Peer(vendor=vendor)
    monkeypatch.setenv(f"{scheme.upper()}_PROXY", "http://127.0.0.1:9")
    given = {
        "proxy": f"http://me:p%40ss@127.0.0.1:{proxy.port}",
        "ca_bundle": certificates.bundle,
    }
    with peers(proxy, vendor):
        assert ask(way, f"{scheme}://{VENDOR}/v1", **given) == "4"
    assert f"Proxy-Authorization: Basic {b64encode(b'me:p@ss').decode()}" in proxy.heads[0]
    last = (vendor if scheme == "https" else proxy).heads[0]
    assert "Authorization: Bearer sk-key" in last
    config = ProviderConfig(model="m", base_url=f"{scheme}://{VENDOR}/v1", api_key="k", **given)
    assert "p@ss" in config.secrets
    assert "p%40ss" not in repr(config)


@both_ways
@pytest.mark.parametrize(
    ("answer", "kind", "retryable"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "authentication", False),
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", "connection", False),
        (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", "connection", True),
    ],
)
def test_a_proxy_that_refuses_is_an_error_that_costs_nothing(
    answer: bytes, kind: str, retryable: bool, way: str
) -> None:
    """Nothing reached the vendor."""
    proxy = Peer()
    proxy.refuses = answer
    with peers(proxy), pytest.raises(ProviderError, match="the proxy") as caught:
        ask(way, f"https://{VENDOR}/v1", proxy=f"http://me:secret@127.0.0.1:{proxy.port}")
    error = caught.value
    assert (error.kind, error.billed, error.retryable) == (kind, "none", retryable)
    assert "secret" not in str(error)


@both_ways
def test_a_proxy_that_is_not_there_is_named(way: str) -> None:
    """Not the endpoint, which may be well."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(ProviderError, match="the proxy cannot be reached") as caught:
        ask(way, f"https://{VENDOR}/v1", proxy=f"http://127.0.0.1:{port}")
    assert (caught.value.kind, caught.value.billed) == ("connection", "none")


@pytest.mark.parametrize(
    "proxy", ["socks5://localhost:1080", "http://", "proxy", "http://a b", "http://a%3Ab:c@d"]
)
def test_a_proxy_that_cannot_be_used_is_refused(
    proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When it is configured, or when the provider is made."""
    with pytest.raises(TurnConfigurationError, match="`proxy`"):
        ProviderConfig(model="m", base_url="http://localhost/v1", proxy=proxy)
    if "://" in proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy)
        with pytest.raises(TurnConfigurationError, match="environment's proxy"):
            OpenAIProvider(ProviderConfig(model="m", base_url=f"http://{VENDOR}/v1"))


@both_ways
def test_an_authority_of_ones_own_is_trusted_only_where_it_is_named(
    way: str, certificates: Certificates
) -> None:
    vendor = Peer(certificates.tls)
    url = f"https://127.0.0.1:{vendor.port}/v1"
    with peers(vendor):
        assert ask(way, url, ca_bundle=certificates.bundle) == "4"
        with pytest.raises(ProviderError, match="CERTIFICATE_VERIFY_FAILED") as caught:
            ask(way, url)
    assert (caught.value.kind, caught.value.billed) == ("connection", "none")


@both_ways
@pytest.mark.parametrize("form", ["one file", "two files", "none"])
def test_a_client_shows_its_certificate(form: str, way: str, certificates: Certificates) -> None:
    """To a vendor that wants one."""
    certificates.tls.verify_mode = ssl.CERT_REQUIRED
    vendor = Peer(certificates.tls)
    shown = {"one file": certificates.client, "two files": certificates.pair, "none": None}[form]
    given = {"ca_bundle": certificates.bundle, "client_certificate": shown}
    with peers(vendor):
        if shown is not None:
            assert ask(way, f"https://127.0.0.1:{vendor.port}/v1", **given) == "4"
            return
        with pytest.raises(ProviderError):
            ask(way, f"https://127.0.0.1:{vendor.port}/v1", **given)
