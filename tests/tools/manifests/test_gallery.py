"""The example manifests run, one of each kind, on the bundled database and a local service."""

import sqlite3
import sys
import threading
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

from tests.paths import GALLERY
from turngraph.state.errors import ToolArgumentsError, TurnConfigurationError
from turngraph.tools.manifests.checking import check_manifests, parse_pairs, try_plugin
from turngraph.tools.manifests.kinds import KINDS
from turngraph.tools.manifests.loading import Manifests, load_manifests
from turngraph.tools.manifests.reading import ManifestReader
from turngraph.tools.manifests.sources import read_sources


@pytest.fixture
def service() -> Iterator[int]:
    spec = spec_from_file_location("moons_api", GALLERY / "moons_api.py")
    assert spec is not None
    assert spec.loader is not None
    module: Any = module_from_spec(spec)
    spec.loader.exec_module(module)
    server = module.serve(0)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()
    sys.modules.pop("moons_api", None)


@pytest.fixture
def gallery(service: int, tmp_path: Path) -> Iterator[Manifests]:
    """As it stands, the service's port apart: any free one here."""
    for file in GALLERY.iterdir():
        if file.is_file():
            (tmp_path / file.name).write_bytes(
                file.read_bytes().replace(b":8765", f":{service}".encode())
            )
    found = load_manifests(tmp_path, allow_hosts=[f"127.0.0.1:{service}"])
    yield found
    found.close()


def test_it_has_one_manifest_of_each_kind() -> None:
    """People copy from the examples."""
    reading = ManifestReader()
    for source in read_sources(GALLERY):
        reading.read(source)
    assert reading.problems == []
    assert {one.manifest.kind for one in reading.manifests} == set(KINDS)
    assert check_manifests(GALLERY).problems == ()


def test_every_plugin_answers_its_test_values(gallery: Manifests) -> None:
    """The figures in the answers are those of the data."""
    assert [row["name"] for row in eval_content(try_plugin(gallery, "planets"))["rows"]] == [
        "Jupiter",
        "Saturn",
    ]
    moons = eval_content(try_plugin(gallery, "moons", {"min_radius_km": 2000}))
    assert [moon["name"] for moon in moons] == ["Callisto", "Ganymede"]
    assert "Refractor" in try_plugin(gallery, "observatory", {"inquiry_type": "telescopes"}).content
    assert [plugin.name for plugin in gallery.of_client("sky_guide")] == [
        "observatory",
        "planets",
        "moons",
    ]


def eval_content(output: Any) -> Any:
    import json

    assert output.status == "ok", output.content
    return json.loads(output.content)


def test_trying_is_as_strict_as_a_turn(gallery: Manifests) -> None:
    """A call that fails here would fail in a turn."""
    with pytest.raises(ToolArgumentsError, match="is not one of"):
        try_plugin(gallery, "planets", parse_pairs(["kind=cheese"]))
    with pytest.raises(TurnConfigurationError, match="No plugin is named `stars`"):
        try_plugin(gallery, "stars")
    with pytest.raises(ValueError, match="write `name=value`"):
        parse_pairs(["kind"])


def test_the_bundled_database_is_what_its_script_makes() -> None:
    """The script is the source; the database file must agree with it."""
    made = sqlite3.connect(":memory:")
    made.executescript((GALLERY / "planets.sql").read_text())
    bundled = sqlite3.connect(f"{(GALLERY / 'planets.sqlite3').as_uri()}?mode=ro", uri=True)
    for table in ("planets", "moons"):
        query = f"SELECT * FROM {table} ORDER BY name"
        assert made.execute(query).fetchall() == bundled.execute(query).fetchall()
    made.close()
    bundled.close()
