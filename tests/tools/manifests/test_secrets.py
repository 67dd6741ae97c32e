"""Secrets are found by reference, refused once they have expired, and never shown."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from turngraph.tools.manifests.loading import load_manifests
from turngraph.tools.manifests.problems import ManifestError
from turngraph.tools.manifests.secret_expiry import expires_at
from turngraph.tools.manifests.secrets import SecretError, Secrets

VALUE = "hunter2-very-secret"


def secret(config: str) -> Secrets:
    text = (
        "apiVersion: smarter.sh/v1\nkind: Secret\nmetadata: {name: db_password}\n"
        f"spec:\n  config: {{{config}}}\n"
    )
    return load_manifests(text, secrets=Secrets(environ={"DB": VALUE})).secrets


def test_a_secret_is_found_by_name_environment_or_file(tmp_path: Path) -> None:
    """A name means a manifest, or an environment variable of that name."""
    (tmp_path / "token").write_text(f"{VALUE}\n")
    found = Secrets(environ={"X": "1", "TURNGRAPH_SECRET_SHOP": "2"}, folder=tmp_path)
    assert (found.get("env:X"), found.get("file:token"), found.get("shop")) == ("1", VALUE, "2")
    assert secret(f"value: {VALUE}").get("db_password") == VALUE
    assert secret("value: 12345").get("db_password") == "12345"
    assert secret('value_from: "env:DB"').get("db_password") == VALUE


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("nothing", "set the environment variable TURNGRAPH_SECRET_NOTHING"),
        ("env:NOTHING", "`NOTHING` is not set"),
        ("file:nothing", "cannot be read .FileNotFoundError"),
        ("vault:x", "`vault:…` is not a reference"),
    ],
)
def test_a_missing_secret_is_reported(reference: str, message: str) -> None:
    """The message says where it was looked for."""
    with pytest.raises(SecretError, match=message):
        Secrets(environ={}).get(reference)


@pytest.fixture
def ring() -> Iterator[None]:
    keyring = pytest.importorskip("keyring")
    from keyring.backend import KeyringBackend

    class Memory(KeyringBackend):
        priority = 1

        def get_password(self, service: str, username: str) -> str | None:
            return VALUE if (service, username) == ("shop", "bob") else None

        def set_password(self, service: str, username: str, password: str) -> None: ...

    before = keyring.get_keyring()
    keyring.set_keyring(Memory())  # type: ignore[no-untyped-call]
    yield
    keyring.set_keyring(before)


@pytest.mark.usefixtures("ring")
def test_a_secret_is_found_in_the_systems_keyring() -> None:
    """People keep secrets there on a desktop."""
    assert Secrets().get("keyring:shop/bob") == VALUE
    with pytest.raises(SecretError, match="has no entry `shop/eve`"):
        Secrets().get("keyring:shop/eve")


@pytest.mark.parametrize(
    ("date", "now", "valid"),
    [
        ("2026-11-20", "2026-11-20T23:59:59+00:00", True),
        ("2026-11-20", "2026-11-21T00:00:00+00:00", False),
        ("2026-11-20T12:00:00", "2026-11-20T11:59:59+00:00", True),
        ("2026-11-20T12:00:00", "2026-11-20T12:00:00+00:00", False),
        ("2026-11-20T12:00:00Z", "2026-11-20T12:00:01+00:00", False),
        ("2026-11-20T12:00:00+02:00", "2026-11-20T10:30:00+00:00", False),
    ],
)
def test_an_expired_secret_is_refused(date: str, now: str, valid: bool) -> None:
    """The expiration date has an effect."""
    found = secret(f'value: {VALUE}, expiration_date: "{date}"')
    at = Secrets(manifests=found.manifests, now=lambda: datetime.fromisoformat(now).astimezone(UTC))
    if valid:
        assert at.get("db_password") == VALUE
    else:
        with pytest.raises(SecretError, match=f"expired on {date[:10]}") as refused:
            at.get("db_password")
        assert VALUE not in str(refused.value)


@pytest.mark.parametrize(
    "config", ["", "value: x, value_from: y", 'value: x, expiration_date: "soon"']
)
def test_a_secret_manifest_has_one_value_and_a_valid_date(config: str) -> None:
    """This is checked before the secret is used."""
    with pytest.raises(ManifestError, match=r"spec\.config"):
        secret(config)


def test_no_secret_is_shown() -> None:
    """Printing a manifest, its holder or an error never shows the value."""
    found = secret(f"value: {VALUE}")
    assert VALUE not in repr(found)
    assert VALUE not in repr(found.manifests)
    assert VALUE not in str(found.manifests["db_password"])
    with pytest.raises(ManifestError) as refused:
        secret(f"value: {VALUE}, value_from: {VALUE}, valu: {VALUE}")
    assert VALUE not in str(refused.value)
    assert expires_at("2026-01-01") == datetime(2026, 1, 2, tzinfo=UTC)
