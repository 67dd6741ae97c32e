"""`turngraph plugins` and `turngraph run --client`, as people type them, on the gallery."""

import json
import shutil
import sqlite3
from pathlib import Path

import pytest

from tests.interfaces.cli.commands import one_sentence, turngraph
from tests.paths import GALLERY
from turngraph.scripted import ScriptedModel


@pytest.fixture
def plugins(tmp_path: Path) -> Path:
    """A home with the gallery in its folder `plugins`."""
    shutil.copytree(GALLERY, tmp_path / "plugins", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def test_check_says_that_all_is_well(plugins: Path) -> None:
    """And names what was found."""
    done = turngraph(plugins, "plugins", "check", "plugins")
    assert (done.returncode, done.stdout) == (0, "")
    assert "moons, observatory, planets" in done.stderr


def test_check_opens_the_connections_when_asked(tmp_path: Path) -> None:
    """One line for each; a connection that cannot be opened is a failed check."""
    (tmp_path / "plugins").mkdir()
    sqlite3.connect(tmp_path / "plugins" / "there.db").close()
    text = (
        "apiVersion: turngraph/v1\nkind: SqlConnection\nmetadata: {name: NAME}\n"
        "spec: {connection: {db_engine: sqlite, database: NAME.db}}\n"
    )
    (tmp_path / "plugins" / "a.yaml").write_text(text.replace("NAME", "there"))
    done = turngraph(tmp_path, "plugins", "check", "plugins", "--connect")
    assert (done.returncode, done.stdout) == (0, "there: connected\n")
    service = (
        "apiVersion: turngraph/v1\nkind: ApiConnection\nmetadata: {name: shop}\n"
        "spec: {connection: {base_url: 'http://localhost:1', timeout: 5}}\n"
    )
    (tmp_path / "plugins" / "b.yaml").write_text(f"{text.replace('NAME', 'missing')}---\n{service}")
    assert turngraph(tmp_path, "plugins", "check", "plugins").returncode == 0
    done = turngraph(
        tmp_path, "plugins", "check", "plugins", "--connect", "--allow-host", "localhost"
    )
    assert done.returncode == 1
    there, missing, shop = done.stdout.splitlines()
    assert there == "there: connected"
    assert missing.startswith("missing: There is no SQLite database `missing.db`")
    assert shop.startswith("shop: The service cannot be reached")


def test_check_tells_every_problem_by_file_and_line(plugins: Path) -> None:
    """So that an editor can jump there."""
    for name, old, new in [
        ("planets.yaml", "limit: 8", "limt: 8"),
        ("guide.yaml", "[observatory,", "[observatoire,"),
    ]:
        file = plugins / "plugins" / name
        file.write_text(file.read_text().replace(old, new))
    done = turngraph(plugins, "plugins", "check", "plugins")
    assert done.returncode == 1
    first, second = done.stdout.splitlines()  # that `planets` is refused is told once
    assert first.startswith("guide.yaml:12: spec.plugins[0]: no plugin is named `observatoire`")
    assert second.startswith(
        "planets.yaml:35: spec.sql_data.limt: is not a known field here; did you mean `limit`?"
    )


def test_try_runs_the_test_values_or_others(plugins: Path) -> None:
    """Through the same toolbox as a turn."""
    done = turngraph(plugins, "plugins", "try", "planets")
    assert [row["name"] for row in json.loads(done.stdout)["rows"]] == ["Jupiter", "Saturn"]
    done = turngraph(plugins, "plugins", "try", "planets", "kind=terrestrial", "min_moons=2")
    assert [row["name"] for row in json.loads(done.stdout)["rows"]] == ["Mars"]
    done = turngraph(plugins, "plugins", "try", "planets", "kind=cheese")
    assert done.returncode == 1
    assert '"cheese" is not one of' in done.stderr
    assert "No plugin is named `stars`" in one_sentence(
        turngraph(plugins, "plugins", "try", "stars")
    )
    assert "write `name=value`" in one_sentence(
        turngraph(plugins, "plugins", "try", "planets", "kind")
    )


def test_new_and_schema_belong_together(tmp_path: Path) -> None:
    """What `new` prints, `check` accepts and `schema` describes."""
    (tmp_path / "a.yaml").write_text(
        turngraph(tmp_path, "plugins", "new", "Plugin", "--name", "mine").stdout
    )
    assert turngraph(tmp_path, "plugins", "check", "a.yaml").returncode == 0
    schema = json.loads(turngraph(tmp_path, "plugins", "schema", "Plugin").stdout)
    assert schema["properties"]["kind"]["const"] == "Plugin"
    assert "There are: `Plugin`, `SqlPlugin`" in one_sentence(
        turngraph(tmp_path, "plugins", "new", "Plugn")
    )
    assert "no file or folder `nowhere`" in one_sentence(
        turngraph(tmp_path, "plugins", "check", "nowhere")
    )


def test_a_client_brings_its_model_settings_plugins_and_functions(plugins: Path) -> None:
    """As its manifest says, and what is typed beside it wins."""
    with ScriptedModel() as model:
        provider = plugins / "plugins" / "local_provider.yaml"
        provider.write_text(
            provider.read_text().replace("http://127.0.0.1:8000/v1", model.base_url)
        )
        guide = plugins / "plugins" / "guide.yaml"
        guide.write_text(
            guide.read_text().replace("openai", "local_models").replace("gpt-5-mini", "any")
        )
        key = {"LOCAL_MODELS_KEY": "local-key-123"}
        done = turngraph(
            plugins, "run", "Which planet is largest?", "-q", "--client", str(guide), **key
        )
        assert done.returncode == 0, done.stderr
        asked = model.requests[0]
        turngraph(
            plugins,
            "run",
            "x",
            "-q",
            "--client",
            str(guide),
            "--temperature",
            "0",
            "--system",
            "Mine.",
            **key,
        )
        typed = model.requests[-1].body
    assert (asked.body["model"], asked.body["temperature"]) == ("any", 0.3)
    assert asked.headers["authorization"] == "Bearer local-key-123"
    tools = [tool["function"]["name"] for tool in asked.body["tools"]]
    assert set(tools) == {"planets", "moons", "calculator", "date_calculator"}
    assert asked.body["messages"][0]["content"].split("\n\n") == [
        "You are a guide at an observatory. Use your tools; say so when you do not know.",
        "Name the unit of every figure.",
    ]
    assert typed["temperature"] == 0
    assert typed["messages"][0]["content"] == "Mine."


def test_a_client_file_that_is_none_is_told(plugins: Path) -> None:
    """In a sentence."""
    assert "no file `x.yaml`" in one_sentence(turngraph(plugins, "run", "x", "--client", "x.yaml"))
    done = turngraph(plugins, "run", "x", "--client", "plugins/planets.yaml")
    assert "describes 0 clients; it must describe one LLMClient" in one_sentence(done)
