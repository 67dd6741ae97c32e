"""The model behind the servers of tests, and two servers on one database, as two processes are.

A file that uses them says which `config` is served.
"""

from collections.abc import Iterator

import pytest

from tests.interfaces.server.serving import Vendor, serving
from turngraph.interfaces.server.config import ServerConfig


@pytest.fixture(scope="module")
def vendor() -> Iterator[Vendor]:
    """The scripted model behind the server."""
    with Vendor() as model:
        yield model


@pytest.fixture(scope="module")
def url(config: ServerConfig) -> Iterator[str]:
    """A server."""
    with serving(config) as served:
        yield served


@pytest.fixture(scope="module")
def other_url(config: ServerConfig, url: str) -> Iterator[str]:
    """A second process on the same database."""
    with serving(config) as served:
        yield served
