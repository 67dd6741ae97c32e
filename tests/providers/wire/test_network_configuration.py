"""Addresses and files that cannot be used are refused before anything is sent."""

from pathlib import Path
from typing import Any

import pytest
import trustme

from turngraph.providers.config import ProviderConfig
from turngraph.providers.openai_provider import OpenAIProvider
from turngraph.providers.wire.endpoint import request_url
from turngraph.state.errors import TurnConfigurationError

URL = "https://api.example.com/v1"


@pytest.mark.parametrize(
    "base_url",
    [
        "https://",
        "https:///v1",
        "http://:8080/v1",
        "api.example.com/v1",
        "ftp://api.example.com/v1",
        "https://api.example.com:0/v1",
        "https://api.example.com:99999/v1",
        "https://api.example.com:http/v1",
        "https://api example.com/v1",
        " https://api.example.com/v1",
        "https://api.example.com/v1\n",
        "https://api.exa\tmple.com/v1",
        "https://api..example.com/v1",
        "https://.example.com/v1",
        f"https://{'a' * 64}.example.com/v1",
        f"https://{'a.' * 130}com/v1",
        "https://-api.example.com/v1",
        "https://api!.example.com/v1",
        "https://[::1/v1",
        "https://[::zz]/v1",
        "https://[v1.x]:8080/v1",
        "https://256.1.1.1/v1",
        "https://127.1/v1",
        "http://127.0.0.1\\api.example.com/v1",
        "https://{resource}.openai.azure.com",
        "https://api.example.com/v1?key=1",
        "https://api.example.com/v1#a",
        "https://api.example.com/v1?",
        "https://api.example.com/v1/chat/completions",
        5,
        b"https://api.example.com/v1",
    ],
)
def test_a_base_url_that_nobody_can_ask_is_refused(base_url: Any) -> None:
    """Otherwise a turn would find out, after its tools have run and its budget is held."""
    with pytest.raises(TurnConfigurationError, match="`base_url`"):
        ProviderConfig(model="m", base_url=base_url)


@pytest.mark.parametrize(
    "base_url",
    [
        "https://api.example.com/v1/",
        "https://api.example.com./v1",
        "http://localhost:8080/v1",
        "http://127.0.0.1:1/v1",
        "http://[::1]:8080/v1",
        "http://my_service:8000/v1",
        "https://b\u00fccher.example/v1",
        "https://xn--bcher-kva.example/v1",
        "https://api.example.com/a%20b/v1",
    ],
)
def test_a_base_url_that_can_be_asked_is_taken(base_url: str) -> None:
    """Names of containers, addresses, and names in any script."""
    assert ProviderConfig(model="m", base_url=base_url).base_url == base_url


def test_parameters_of_every_request_stand_in_its_url() -> None:
    """Beside the version that Azure wants."""
    config = ProviderConfig(model="m", base_url=URL, query={"team": "a b"})
    assert request_url(config, "chat") == f"{URL}/chat/completions?team=a+b"
    azure = config.replaced(api_version="2024-10-21", vendor="azure", api_key="k")
    assert request_url(azure, "chat").endswith("?api-version=2024-10-21&team=a+b")
    with pytest.raises(TurnConfigurationError, match="sounds like a key"):
        config.replaced(query={"api_key": "sk-1"})


@pytest.mark.parametrize("field", ["ca_bundle", "client_certificate"])
@pytest.mark.parametrize("content", [None, b"", b"not PEM", b"\x00\xff"])
def test_certificates_that_cannot_be_read_are_refused(
    field: str, content: bytes | None, tmp_path: Path
) -> None:
    """When the provider is made, with the file's name."""
    path = tmp_path / "some.pem"
    if content is not None:
        path.write_bytes(content)
    config = ProviderConfig.model_validate({"model": "m", "base_url": URL, field: str(path)})
    with pytest.raises(TurnConfigurationError, match=f"`{field}` cannot be used.*some.pem"):
        OpenAIProvider(config)


def test_a_private_key_with_a_password_is_refused(tmp_path: Path) -> None:
    """OpenSSL would ask for it at the terminal, and a server would wait for ever."""
    from cryptography.hazmat.primitives import serialization

    issued = trustme.CA().issue_cert("a@example.com")
    key = serialization.load_pem_private_key(issued.private_key_pem.bytes(), None)
    locked = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
    (tmp_path / "key.pem").write_bytes(locked)
    issued.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    pair = (str(tmp_path / "cert.pem"), str(tmp_path / "key.pem"))
    with pytest.raises(TurnConfigurationError, match="must not need a password"):
        OpenAIProvider(ProviderConfig(model="m", base_url=URL, client_certificate=pair))
