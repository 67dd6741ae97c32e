"""No plugin reaches an address that is not public, however it is written or redirected to."""

import asyncio
import json
from typing import Any

import pytest
from langchain_core.tools import ToolException

from tests.tools.web.conftest import SECRET, Service
from turngraph.tools.manifests.connection_parts import ApiConnectionData
from turngraph.tools.toolbox import Toolbox
from turngraph.tools.web.addresses import AddressError, AddressPolicy, is_public
from turngraph.tools.web.client import WebClient
from turngraph.tools.web.credentials import Credentials
from turngraph.tools.web.redirects import Hop, next_hop
from turngraph.tools.web.template import ApiRequest

FORBIDDEN = [
    "127.0.0.1", "127.1", "127.0.0.2", "2130706433", "0x7f000001", "0177.0.0.1", "localhost",
    "0.0.0.0", "0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
    "224.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1", "240.0.0.1", "[::1]", "[::]",
    "[fe80::1]", "[fc00::1]", "[fd00:ec2::254]", "[::ffff:127.0.0.1]", "[::ffff:10.0.0.1]",
    "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[2001::1]", "[ff02::1]", "[::127.0.0.1]",
    "[2001:db8::1]", "0x7f.1", "017700000001", "127.0.0.1.", "192.0.0.192", "168.63.129.16",
    "3221225664", "0251.0376.0251.0376", "1.2.3.4.5", "127.0.0.999", "4294967296", "[3fff::1]",
    "127.0.0.1..", "127.0.0.1\u200b", "127\u30020\u30020\u30021", "\uff11\uff12\uff17.0.0.1",
]  # fmt: skip


def client(policy: AddressPolicy) -> WebClient:
    data = ApiConnectionData(base_url="http://x", auth_method="bearer", api_key="env:K")
    return WebClient(Credentials(data, lambda: SECRET), policy, timeout_s=5, wait_s=0)


def send(policy: AddressPolicy, url: str) -> Any:
    return asyncio.run(client(policy).send(ApiRequest("GET", url, {}, None)))


@pytest.mark.parametrize("host", FORBIDDEN)
def test_a_forbidden_address_is_never_connected_to(service: Service, host: str) -> None:
    """A server listens there and receives nothing."""
    with pytest.raises(ToolException, match=r"not public|cannot be reached|not well formed"):
        send(AddressPolicy(), f"http://{host}:{service.port}/canary")
    assert service.asked == []


@pytest.mark.parametrize(
    "target",
    ["loopback", "metadata", "private", "decimal", "short", "hex", "octal", "mapped", "six",
     "zero", "file", "gopher", "user", "backslash", "port", "other", "nat64", "6to4"],
)  # fmt: skip
@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirect_to_a_forbidden_address_is_not_followed(
    service: Service, target: str, code: int
) -> None:
    """That the first server is allowed says nothing about the target."""
    found = service.load(f"endpoint: /to/{code}/{target}")
    output = Toolbox.of([found["shop"].tool]).run("shop", {}, call_id="c", timeout_s=20)
    assert output.status == "error"
    assert len(service.asked) == 1


def test_a_redirect_within_the_service_is_followed(service: Service) -> None:
    """It keeps the credentials, because the server is the same."""
    found = service.load("endpoint: /to/self", connection='authMethod: bearer, apiKey: "env:KEY"')
    output = Toolbox.of([found["shop"].tool]).run("shop", {}, call_id="c", timeout_s=20)
    assert json.loads(output.content) == {"asked": "/api/ok"}
    assert service.asked[1]["headers"]["Authorization"] == f"Bearer {SECRET}"


def test_a_redirect_to_another_server_drops_the_credentials(service: Service) -> None:
    """And a request that writes is not sent on to another server."""
    policy = AddressPolicy(allowed=["127.0.0.1", "localhost"])
    assert send(policy, f"http://127.0.0.1:{service.port}/to/loopback").status == 200
    assert service.asked[0]["headers"]["Authorization"] == f"Bearer {SECRET}"
    assert "Authorization" not in service.asked[1]["headers"]
    posted = ApiRequest("POST", f"http://127.0.0.1:{service.port}/to/307/loopback", {}, b"{}")
    with pytest.raises(ToolException, match="request that writes to another server"):
        asyncio.run(client(policy).send(posted))


def test_dns_rebinding_gains_nothing(service: Service) -> None:
    """The address that was checked is the address that is connected to."""
    asked: list[str] = []

    async def flipping(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["93.184.216.34"] if len(asked) % 2 else ["127.0.0.1"]

    policy = AddressPolicy(lookup=flipping)
    policy_answer = asyncio.run(policy.resolver().resolve("rebind.example", service.port))
    assert [entry["host"] for entry in policy_answer] == ["93.184.216.34"]
    with pytest.raises(ToolException, match="not public"):
        send(policy, f"http://rebind.example:{service.port}/canary")
    assert service.asked == []


def test_one_forbidden_address_among_public_ones_is_refused(service: Service) -> None:
    """A client would try them one after the other."""

    async def mixed(host: str, port: int) -> list[str]:
        return ["93.184.216.34", "127.0.0.1"]

    with pytest.raises(ToolException, match="not public"):
        send(AddressPolicy(lookup=mixed), f"http://mixed.example:{service.port}/")
    assert service.asked == []


def test_allowed_hosts_are_reached(service: Service) -> None:
    """By host, or by host and port; no other port of that host."""
    url = f"http://localhost:{service.port}/ok"
    assert send(AddressPolicy(allowed=["localhost"]), url).status == 200
    assert send(AddressPolicy(allowed=[f"LOCALHOST:{service.port}"]), url).status == 200
    with pytest.raises(ToolException, match="not public"):
        send(AddressPolicy(allowed=["localhost:1"]), url)


@pytest.mark.parametrize(
    "host", ["127.1", "2130706433", "0177.0.0.1", "0x7f000001", "0", "127\u30020\u30020\u30021"]
)
def test_a_numeric_host_is_refused_before_anything_resolves_it(host: str) -> None:
    """What a resolver or a version of the HTTP library makes of it plays no part."""
    with pytest.raises(AddressError, match="not public"):
        AddressPolicy().check_literal(host, 80)
    with pytest.raises(AddressError, match="not public"):
        AddressPolicy(allowed=["0.0.0.0", "127.0.0.1:80"]).check_literal(host, 80)
    AddressPolicy(allowed=[host]).check_literal(host, 80)


@pytest.mark.parametrize(
    "location",
    ["http://[::1", "http://127.0.0.1:99999999/", "http://a..b/", "http://127.0.0.1:80:80/",
     "//:80/", "http://1.2.3.4.5/", f"http://{'a' * 64}.example/",
     f"http://{'a.' * 200}example/", "http://x:0/", "http://x:-1/", "http://[fe80::1%25/"],
)  # fmt: skip
def test_a_malformed_redirect_is_told(location: str) -> None:
    """Whatever a server writes there, the tool ends with a sentence."""
    hop = Hop("GET", "http://shop.example/x", {}, {}, None)
    with pytest.raises(ToolException, match="not well formed"):
        next_hop(hop, 302, location)


@pytest.mark.parametrize(
    "location",
    ["", "//", "http://[::1", "http://x:99999999/", "http://a..b/", "http://x:8:8/",
     "http://xn--/", "http://xn--a/", "http://\xff\xfe/", "http://%00/", "http://%31/", "http://-/",
     "http://a\t.b/", "http://a/" + "b" * 20_000, "javascript:1"],
)  # fmt: skip
def test_a_plugin_answers_in_words_whatever_the_service_redirects_to(
    service: Service, location: str
) -> None:
    """From the socket on: headers that the client cannot read, names that no resolver knows."""
    service.away = location
    found = service.load("endpoint: /away")
    with pytest.raises(ToolException, match="The service"):
        found["shop"].tool.invoke({})


@pytest.mark.parametrize("url", ["http://[::1/", "http://a..b/", "http://x:99999/", "http://:1/"])
def test_a_malformed_address_is_told(url: str) -> None:
    """Also when no redirect led there."""
    with pytest.raises(ToolException, match="not well formed"):
        send(AddressPolicy(), url)


def test_public_addresses_are_public() -> None:
    """The rest of the internet stays reachable."""
    assert all(map(is_public, ["93.184.216.34", "8.8.8.8", "2606:4700::1111", "2a00:1450::1"]))


def test_proxies_of_the_environment_are_ignored(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy would connect to an address that was not checked."""
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{service.port}")
    monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{service.port}")
    with pytest.raises(ToolException):
        send(AddressPolicy(), "http://127.0.0.9:9/canary")
    assert service.asked == []
