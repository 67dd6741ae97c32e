"""Sentences of `docs/manifests.md` that no other test is about."""

from contextlib import closing
from pathlib import Path

import pytest

from tests.paths import ROOT
from turngraph.tools.manifests.loading import load_manifests
from turngraph.tools.manifests.problems import ManifestError
from turngraph.tools.manifests.schema import new_manifest

PLUGIN = new_manifest("Plugin", name="shop")
SQL = f"{new_manifest('SqlPlugin', name='orders')}---\n" + new_manifest(
    "SqlConnection", name="my_sql_connection"
)
API = new_manifest("ApiConnection", name="parcels")


@pytest.mark.parametrize(
    ("text", "right", "wrong", "place"),
    [
        (PLUGIN, "name: shop", "name: The Shop", "metadata.name"),
        (PLUGIN, "name: shop", f"name: {'s' * 51}", "metadata.name"),
        (PLUGIN, "version: 0.1.0", "version: first", "metadata.version"),
        (PLUGIN, "version: 0.1.0", "plugin_class: sql", "pluginClass sql does not agree"),
        (PLUGIN, "directive: search_terms", "directive: sometimes", "spec.selector.directive"),
        (PLUGIN, "search_terms: [opening hours]", "search_terms: []", "at least one search term"),
        (PLUGIN, "  prompt:", "  prompt:\n    temperature: 2.5", "spec.prompt.temperature"),
        (PLUGIN, "  prompt:", "  prompt:\n    max_tokens: 0", "spec.prompt.max_tokens"),
        (SQL, "name: customer,", "name: customer-id,", "parameters[0].name"),
        (SQL, "name: customer,", f"name: {'c' * 65},", "parameters[0].name"),
        (SQL, "type: string, required", "type: text, required", "parameters[0].type"),
        (API, "example.com/v1", "example.com/v1?key=x", "spec.connection.base_url"),
        (API, "//api.example.com", "//ann:pw@api.example.com", "spec.connection.base_url"),
        (SQL, "hostname: db", "proxy_host: p\n    hostname: db", "proxy_host is not supported"),
    ],
)
def test_manifests_what_the_page_does_not_allow_is_refused(
    text: str, right: str, wrong: str, place: str
) -> None:
    """docs/manifests.md: the type and the meaning of each field; the error names the field."""
    load_manifests(text)
    assert right in text
    with pytest.raises(ManifestError) as refused:
        load_manifests(text.replace(right, wrong, 1))
    assert place in str(refused.value)


def test_manifests_the_longest_names_are_taken() -> None:
    """docs/manifests.md: a plugin's name has at most 50 characters, a parameter's 64."""
    name, parameter = "s" * 50, "c" * 64
    text = SQL.replace("name: orders", f"name: {name}").replace("customer,", f"{parameter},", 1)
    text = text.replace("{customer}", f"{{{parameter}}}").replace(
        "name: customer, value", f"name: {parameter}, value"
    )
    plugin = load_manifests(text)[name]
    assert plugin.tool.name == name


@pytest.mark.parametrize(
    "line", ["proxy_protocol: http", "authentication_method: none", "authentication_method: tcpip"]
)
def test_manifests_fields_without_effect_are_taken(line: str) -> None:
    """docs/manifests.md: "not supported, and ignored", "has no effect"."""
    load_manifests(SQL.replace("    db_engine:", f"    {line}\n    db_engine:"))


def test_manifests_metadata_is_for_people_and_the_description_of_the_data_for_the_model() -> None:
    """docs/manifests.md: the model does not read `metadata.description`; `status` is not read."""
    plugin = load_manifests(f"{PLUGIN}status: {{deployed: [1, 2]}}\n")["shop"]
    assert "What this plugin knows" in plugin.tool.description
    assert "for people" not in plugin.tool.description


def test_manifests_the_database_of_sqlite_is_a_file_beside_the_manifest(tmp_path: Path) -> None:
    """docs/manifests.md: `database` is relative to the manifest's folder, wherever one works."""
    for name in ("planets.yaml", "planets.sqlite3"):
        (tmp_path / name).write_bytes((ROOT / "examples/plugins" / name).read_bytes())
    with closing(load_manifests(tmp_path)) as found:
        rows = found["planets"].tool.invoke({"kind": "gas giant"})["rows"]
    assert "Jupiter" in [row["name"] for row in rows]
