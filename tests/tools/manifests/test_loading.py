"""Existing manifests load unchanged; all problems of others are reported with file and line."""

import json
import re
from pathlib import Path

import pytest

from turngraph.state.errors import TurnConfigurationError
from turngraph.tools.manifests.kinds import FOREIGN_KINDS, KINDS, ApiPluginManifest
from turngraph.tools.manifests.loading import load_manifests
from turngraph.tools.manifests.problems import ManifestError
from turngraph.tools.manifests.reading import ManifestReader
from turngraph.tools.manifests.sources import Source
from turngraph.tools.plugin import Plugin
from turngraph.tools.toolbox import Toolbox

STATIC = """\
apiVersion: smarter.sh/v1
kind: Plugin
metadata:
  name: ice_cream_parlour
  pluginClass: static
  description: Opening hours and flavours.
  version: 0.2.0
  tags: [food, ice]
  annotations:
    - owner: kitchen
spec:
  selector:
    directive: search_terms
    searchTerms: [ice cream, gelato]
  prompt:
    provider: openai
    systemRole: >
      You work in an ice cream parlour.
    model: gpt-5-mini
    temperature: 0.0
    maxTokens: 256
  data:
    description: What the parlour offers.
    staticData:
      hours: {weekdays: 10 to 8, sunday: closed}
      flavours:
        - {name: lemon, price: 2}
        - {name: fig, price: 3}
      contact: {phone: "555-0100"}
      delivery: {phone: "555-0199"}
status: {deployed: true}
"""


def test_a_static_plugin_answers_by_key() -> None:
    """The one argument is an enum of all keys; the answer is everything below the key."""
    [plugin] = load_manifests(STATIC)
    assert isinstance(plugin, Plugin)
    schema = plugin.tool.args_schema
    assert isinstance(schema, dict)
    topics = schema["properties"]["inquiry_type"]["enum"]
    assert topics[:4] == ["hours", "flavours", "contact", "delivery"]
    assert plugin.tool.invoke({"inquiry_type": "hours"}) == {
        "weekdays": "10 to 8",
        "sunday": "closed",
    }
    assert plugin.tool.invoke({"inquiry_type": "sunday"}) == "closed"
    assert plugin.tool.invoke({"inquiry_type": "delivery.phone"}) == "555-0199"
    assert plugin.tool.invoke({"inquiry_type": "flavours"})[1]["name"] == "fig"
    output = Toolbox.of([plugin.tool]).run(
        "ice_cream_parlour", {"inquiry_type": "contact"}, call_id="c", timeout_s=5
    )
    assert output.content == '{"phone":"555-0100"}'


def test_temperature_zero_counts_as_given() -> None:
    """Zero must not be read as unset."""
    [plugin] = load_manifests(STATIC)
    assert plugin.prompt.temperature == 0
    assert plugin.selector.search_terms == ("ice cream", "gelato")


@pytest.mark.parametrize("data", ["[1, 2]", "{}", "[]"])
def test_data_without_keys_is_one_topic(data: str) -> None:
    """There is no key to choose, but there is something to answer."""
    [plugin] = load_manifests(
        STATIC[: STATIC.index("      hours")].replace("staticData:", f"staticData: {data}")
    )
    assert plugin.tool.invoke({"inquiry_type": "everything"}) == json.loads(data)


NATIVE = """\
apiVersion: turngraph/v1
kind: Plugin
metadata: {name: shop}
spec:
  selector: {directive: llm}
  data: {description: The shop., static_data: {hours: 9 to 5}}
"""


def test_the_native_dialect_is_snake_case_only() -> None:
    """The message about another spelling suggests the right one."""
    assert load_manifests(NATIVE)["shop"].selector.directive == "llm"
    with pytest.raises(
        ManifestError, match="staticData: is not a known field here; did you mean `static_data`"
    ):
        load_manifests(NATIVE.replace("static_data", "staticData"))
    assert load_manifests(NATIVE.replace("turngraph/v1", "smarter.sh/v1"))["shop"].name == "shop"


def test_a_null_counts_as_not_given() -> None:
    """Exported manifests contain many nulls."""
    text = STATIC.replace("tags: [food, ice]", "tags: null").replace(
        "model: gpt-5-mini", "model: null"
    )
    [plugin] = load_manifests(text.replace("    maxTokens: 256\n", "    maxTokens:\n"))
    assert (plugin.prompt.model, plugin.prompt.max_tokens) == (None, None)


def test_json_manifests_are_read() -> None:
    """A manifest may be JSON."""
    manifest = {
        "apiVersion": "smarter.sh/v1", "kind": "Plugin", "metadata": {"name": "j"},
        "spec": {
            "selector": {"directive": "always"},
            "data": {"description": "d", "staticData": {"a": 1}},
        },
    }  # fmt: skip
    assert load_manifests(json.dumps(manifest)).plugins[0].name == "j"
    assert load_manifests(json.dumps(manifest, indent="\t")).plugins[0].name == "j"


def test_a_folder_is_read_with_its_subfolders(tmp_path: Path) -> None:
    """Files are read in the order of their names; hidden files are skipped."""
    (tmp_path / "b.yaml").write_text(NATIVE)
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "a.yml").write_text(NATIVE.replace("name: shop", "name: second"))
    (tmp_path / ".hidden.yaml").write_text("not: [a manifest")
    (tmp_path / "README.md").write_text("Read me.")
    assert [plugin.name for plugin in load_manifests(tmp_path)] == ["shop", "second"]
    assert [plugin.name for plugin in load_manifests(str(tmp_path / "b.yaml"))] == ["shop"]
    several = load_manifests([tmp_path / "more", str(tmp_path / "b.yaml")])
    assert [plugin.name for plugin in several] == ["second", "shop"]
    with pytest.raises(FileNotFoundError):
        load_manifests(tmp_path / "nowhere")


def test_all_problems_of_all_files_are_reported_at_once(tmp_path: Path) -> None:
    """Each has file, line and path, the value and what was expected."""
    (tmp_path / "a.yaml").write_text(
        STATIC.replace("ice_cream_parlour", "7").replace("temperature: 0.0", "temperature: 7")
    )
    (tmp_path / "b.yaml").write_text(
        NATIVE.replace("llm", "sometimes") + "---\nkind: Plugin\n---\nx: [\n"
    )
    with pytest.raises(ManifestError) as refused:
        load_manifests(tmp_path)
    assert [str(problem) for problem in refused.value.problems] == [
        "a.yaml:4: metadata.name: must match ^[a-z][a-z0-9_]*$, but is '7'",
        "a.yaml:20: spec.prompt.temperature: input should be less than or equal to 2, but is 7",
        "b.yaml:5: spec.selector.directive: input should be 'always', 'search_terms' or 'llm', "
        "but is 'sometimes'",
        "b.yaml:8: apiVersion: must be one of smarter.sh/v1, turngraph/v1, but is None",
        "b.yaml:11: not YAML: did not find expected node content",
    ]
    assert isinstance(refused.value, TurnConfigurationError)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "kind: Plugin",
            "kind: Plugn",
            "kind: must be one of Plugin, SqlPlugin, .* did you mean `Plugin`",
        ),
        ("kind: Plugin", "kind: [x]", "kind: must be one of"),
        (
            "smarter.sh/v1",
            "smarter.sh/v9",
            "apiVersion: must be one of smarter.sh/v1, turngraph/v1",
        ),
        ("name: ice_cream_parlour", f"name: {'x' * 51}", "at most 50 characters"),
        ("version: 0.2.0", "version: one", "metadata.version: must match"),
        (
            "pluginClass: static",
            "pluginClass: sql",
            "pluginClass sql does not agree with the kind, which is static",
        ),
        ("    searchTerms: [ice cream, gelato]\n", "", "needs at least one search term"),
        ("searchTerms:", "serchTerms:", "did you mean `searchTerms`"),
        ("maxTokens: 256", "maxTokens: 0", "spec.prompt.maxTokens: .* greater than or equal to 1"),
        ("maxTokens: 256", "maxTokens: many", "spec.prompt.maxTokens: must be a whole number"),
        ("spec:\n", "spec: 7\nx:\n", "spec: must be a mapping, but is 7"),
        ("staticData:", "staticData: 5\n    x:", "spec.data.staticData: "),
    ],
)
def test_a_wrong_field_is_reported_by_path(old: str, new: str, message: str) -> None:
    """Nothing is silently ignored or replaced by a default."""
    with pytest.raises(ManifestError, match=message):
        load_manifests(STATIC.replace(old, new))


@pytest.mark.parametrize("kind", sorted(FOREIGN_KINDS))
def test_kinds_of_the_platform_are_named_in_a_warning(kind: str) -> None:
    """Folders of the platform hold them too; authors learn that they have no effect."""
    text = f"apiVersion: smarter.sh/v1\nkind: {kind}\nmetadata: {{name: x}}\nspec: {{}}\n"
    found = load_manifests(f"{NATIVE}---\n{text}")
    assert [plugin.name for plugin in found] == ["shop"]
    assert found.warnings == (
        f"<text>:9: kind: {kind} is a kind of the platform this format comes from; turngraph does "
        "not run it",
    )
    with pytest.raises(ManifestError, match=f"{kind} is a kind of the platform"):
        load_manifests(text.replace("smarter.sh/v1", "turngraph/v1"))


def test_a_missing_description_is_the_one_of_the_metadata() -> None:
    """As on the platform; the native dialect has no such rule."""
    [plugin] = load_manifests(STATIC.replace("    description: What the parlour offers.\n", ""))
    assert plugin.tool.description == "Opening hours and flavours."
    with pytest.raises(ManifestError, match=r"spec.data.description: is missing"):
        load_manifests(NATIVE.replace("description: The shop., ", ""))


def test_an_unknown_field_is_a_warning_in_the_platforms_dialect() -> None:
    """At any depth; in the native dialect it is an error."""
    text = STATIC.replace("  prompt:\n", "  color: blue\n  prompt:\n    mood: [good]\n")
    found = load_manifests(text.replace("  tags:", "  author: {name: x}\n  tags:"))
    assert [re.split(r";| \(known", warning)[0] for warning in found.warnings] == [
        "<text>:8: metadata.author: is not a known field here",
        "<text>:16: spec.color: is not a known field here",
        "<text>:18: spec.prompt.mood: is not a known field here",
    ]
    with pytest.raises(ManifestError, match=r"spec.color: is not a known field here"):
        load_manifests(NATIVE.replace("spec:\n", "spec:\n  color: blue\n"))


def test_a_number_in_a_list_of_texts_is_its_text() -> None:
    """The platform does not tell them apart; in the native dialect it is an error."""
    [plugin] = load_manifests(STATIC.replace("[food, ice]", "[food, 2.50, true]"))
    assert plugin.name == "ice_cream_parlour"
    [plugin] = load_manifests(NATIVE.replace("directive: llm", "directive: llm, search_terms: [a]"))
    text = NATIVE.replace("directive: llm", "directive: search_terms, search_terms: [2024, 1.50]")
    [plugin] = load_manifests(text.replace("turngraph/v1", "smarter.sh/v1"))
    assert plugin.selector.search_terms == ("2024", "1.50")
    with pytest.raises(ManifestError, match=r"spec.selector.search_terms\[1\]: must be text"):
        load_manifests(text)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_a_file_is_read_in_the_encoding_that_its_mark_names(tmp_path: Path, encoding: str) -> None:
    """YAML may be written in each of them; Windows does."""
    (tmp_path / "shop.yaml").write_text(STATIC.replace("ice]", "glacé]"), encoding)
    [plugin] = load_manifests(tmp_path)
    assert plugin.name == "ice_cream_parlour"


def test_a_file_in_another_encoding_is_refused(tmp_path: Path) -> None:
    """With the characters replaced, the model would be told something else."""
    (tmp_path / "shop.yaml").write_text(STATIC.replace("ice]", "glacé]"), "latin-1")
    with pytest.raises(ManifestError, match=r"shop.yaml:\d+: is not UTF-8; save the file in that"):
        load_manifests(tmp_path)


@pytest.mark.parametrize(
    "annotations",
    ["[{made_by: x}, example.com/plugin]", "{made_by: x, example.com/plugin: }", "[a, b]"],
)
def test_annotations_may_be_keys_alone_or_one_mapping(annotations: str) -> None:
    """They mean nothing to turngraph, so the platform's files load however they are written."""
    text = STATIC.replace("  annotations:\n    - owner: kitchen", f"  annotations: {annotations}")
    assert [plugin.name for plugin in load_manifests(text)] == ["ice_cream_parlour"]
    with pytest.raises(ManifestError, match=r"metadata.annotations"):
        load_manifests(NATIVE.replace("name: shop", f"name: shop, annotations: {annotations}"))


def test_what_refers_to_a_refused_manifest_has_no_problem_of_its_own() -> None:
    """The one that is refused is there, and the author sees why it is refused."""
    refused = NATIVE.replace("directive: llm", "directive: never")
    with pytest.raises(ManifestError) as caught:
        load_manifests(f"{refused}---\n{CLIENT}")
    assert [problem.path for problem in caught.value.problems] == ["spec.selector.directive"]


@pytest.mark.parametrize(
    ("written", "name"),
    [("IceCream", "ice_cream"), ("Ice cream-2", "ice_cream_2"), ("HTTPServer", "http_server")],
)
def test_a_name_is_normalized_with_a_warning(written: str, name: str) -> None:
    """As on the platform, where references are normalized too."""
    client = CLIENT.replace("[shop]", f"[{written}]")
    found = load_manifests(f"{STATIC.replace('ice_cream_parlour', written)}---\n{client}")
    assert [plugin.name for plugin in found.of_client("front_desk")] == [name]
    assert found.warnings[0] == (
        f"<text>:4: metadata.name: is read as `{name}`: names are in snake_case"
    )
    with pytest.raises(ManifestError, match=r"metadata.name: must match"):
        load_manifests(NATIVE.replace("name: shop", f"name: {written}"))


API = """\
apiVersion: smarter.sh/v1
kind: ApiConnection
metadata: {name: shop_api}
spec: {connection: {baseUrl: "http://localhost:9", timeout: 5}}
---
apiVersion: smarter.sh/v1
kind: ApiPlugin
metadata: {name: prices, description: Prices., version: 0.1.0}
spec:
  connection: ShopApi
  selector: {directive: always}
  apiData:
    endpoint: /prices
    method: POST
    parameters:
      - {name: limit, type: string, default: 500.00, enum: [500.00, 0012, true]}
      - {name: count, type: integer, default: "7"}
    testValues: [{name: limit, value: 0012}]
    headers: [{name: 7, value: x}]
    body:
      - {name: limit, type: string}
      - {name: page, type: integer, default: 1}
      - {name: price, type: string, default: 1.50}
"""


def test_a_number_of_a_text_parameter_is_the_text_as_written() -> None:
    """`500.00` is read as the number 500.0, whose text would be another one."""
    plugin = load_manifests(API)["prices"]
    properties = plugin.tool.args_schema["properties"]  # type: ignore[index]
    assert properties["limit"]["default"] == "500.00"
    assert properties["limit"]["enum"][:3] == ["500.00", "0012", "true"]
    assert properties["count"]["default"] == 7
    assert plugin.test_arguments == {"limit": "0012"}
    with pytest.raises(ManifestError, match=r"default 'seven' is not of the type integer"):
        load_manifests(API.replace('"7"', "seven"))


def test_a_body_that_lists_fields_is_an_object() -> None:
    """A field with the name of a parameter is that parameter; any other has its default."""
    reader = ManifestReader()
    reader.read(Source("<text>", Path(), API))
    assert reader.problems == []
    manifest = reader.manifests[1].manifest
    assert isinstance(manifest, ApiPluginManifest)
    assert manifest.spec.api_data.body == {"limit": "{limit}", "page": 1, "price": "1.50"}
    assert manifest.spec.api_data.headers[0].name == "7"


def test_a_chatbot_is_a_client() -> None:
    """The kind's former name."""
    found = load_manifests(f"{NATIVE}---\n{CLIENT.replace('LLMClient', 'Chatbot')}")
    assert list(found.clients) == ["front_desk"]


def test_all_refused_fields_are_named_in_a_fixed_order() -> None:
    """One sentence for each reason."""
    fields = "sshKnownHosts: x, proxyPassword: p, proxyHost: h, proxyPort: 1"
    text = (
        "apiVersion: smarter.sh/v1\nkind: SqlConnection\nmetadata: {name: db}\n"
        f"spec: {{connection: {{dbEngine: postgresql, database: d, {fields}}}}}\n"
    )
    with pytest.raises(ManifestError) as refused:
        load_manifests(text)
    assert str(refused.value.problems[0]) == (
        "<text>:4: spec.connection: proxy_host, proxy_port, proxy_password are not supported: the "
        "address check could not see where a proxy connects to; leave them out; ssh_known_hosts is "
        "not supported: turngraph opens no SSH tunnels. Open one yourself and give its local port; "
        "leave it out"
    )


def test_a_password_of_a_sqlite_database_is_refused() -> None:
    """SQLite has none, so whoever wrote it believes in a protection that is not there."""
    text = (
        "apiVersion: smarter.sh/v1\nkind: SqlConnection\nmetadata: {name: db}\n"
        'spec: {connection: {dbEngine: sqlite, database: d.db, password: "env:X"}}\n'
    )
    with pytest.raises(ManifestError, match=r"spec.connection.password: a SQLite database has no"):
        load_manifests(text)


@pytest.mark.parametrize(
    "url", ["http://[::1", "http://a..b", "http://x:99999", "http://:80", "http://1.2.3.4.5"]
)
def test_a_base_url_that_nobody_can_ask_is_refused(url: str) -> None:
    """When it is loaded, not when the model calls."""
    with pytest.raises(ManifestError, match=r"baseUrl: is not an address that can be asked"):
        load_manifests(API.replace("http://localhost:9", url))


def test_a_name_is_used_once() -> None:
    """The name of a plugin is the name of its tool."""
    with pytest.raises(
        ManifestError,
        match=r"<text>:10: metadata.name: `.*` is already the name of the manifest in <text>:3",
    ):
        load_manifests(f"{NATIVE}---\n{NATIVE}")


CLIENT = """\
apiVersion: smarter.sh/v1
kind: LLMClient
metadata: {name: front_desk, description: x, version: 1.0.0}
spec:
  config:
    provider: openai
    defaultModel: gpt-5-mini
    defaultSystemRole: You are kind.
    defaultTemperature: 0
    defaultMaxTokens: 512
    appName: Front desk
    appWelcomeMessage: Hello!
    subdomain: front
  plugins: [shop]
  functions: [calculator]
"""


def test_a_client_names_its_plugins_and_settings() -> None:
    """Unknown fields cause a warning, except those that configure a web page."""
    found = load_manifests(
        f"{NATIVE}---\n{NATIVE.replace('name: shop', 'name: other')}---\n{CLIENT}"
    )
    config = found.clients["front_desk"].spec.config
    assert (config.default_model, config.default_temperature, config.default_max_tokens) == (
        "gpt-5-mini",
        0,
        512,
    )
    assert [plugin.name for plugin in found.of_client("front_desk")] == ["shop"]
    assert found.warnings == ("<text>:27: spec.config.subdomain: is not used by turngraph",)
    with pytest.raises(
        TurnConfigurationError, match=r"No LLMClient is named `x`\. There are: `front_desk`"
    ):
        found.of_client("x")
    with pytest.raises(
        TurnConfigurationError, match=r"No plugin is named `y`\. There are: `shop`, `other`"
    ):
        found["y"]


def test_a_client_cannot_name_a_missing_plugin() -> None:
    """It would answer as if it had the plugin."""
    with pytest.raises(ManifestError) as refused:
        load_manifests(CLIENT.replace("[calculator]", "[calculater]"))
    assert "spec.plugins[0]: no plugin is named `shop`" in str(refused.value)
    assert "spec.functions[0]: no built-in function is named `calculater`" in str(refused.value)


def test_a_provider_is_read() -> None:
    """Its key stays the name of a secret."""
    text = """\
apiVersion: smarter.sh/v1
kind: Provider
metadata: {name: local}
spec:
  provider:
    {name: local, base_url: "http://localhost:8000/v1", api_key: local_key,
    connectivityTestPath: /models}
"""
    found = load_manifests(text)
    assert found.providers["local"].spec.provider.base_url == "http://localhost:8000/v1"
    assert "connectivityTestPath" in found.warnings[0]


def test_every_kind_is_known_by_its_own_name() -> None:
    """The table of kinds and the models agree."""
    for kind, model in KINDS.items():
        assert model.model_fields["kind"].annotation.__args__ == (kind,)  # type: ignore[union-attr]


@pytest.mark.parametrize("text", ["", "# not yet\n", "---\n"])
def test_a_file_without_a_manifest_is_a_warning_beside_others(tmp_path: Path, text: str) -> None:
    """One that is not written yet must not hold up a whole folder; alone it is the wrong file."""
    (tmp_path / "later.yaml").write_text(text)
    with pytest.raises(ManifestError, match=r"later\.yaml:1: contains no manifest"):
        load_manifests(tmp_path)
    (tmp_path / "parlour.yaml").write_text(STATIC)
    loaded = load_manifests(tmp_path)
    assert [plugin.name for plugin in loaded] == ["ice_cream_parlour"]
    assert loaded.warnings == ("later.yaml:1: contains no manifest",)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("{plugins: 5}", "spec.plugins: must be a list, but is 5"),
        ("{plugins: {a: b}}", "spec.plugins: must be a list, but is a dict"),
        ("{plugins: [5]}", "must be text, but is 5"),
        ("5", "spec: must be a mapping, but is 5"),
    ],
)
def test_what_is_expected_is_said_in_the_words_of_yaml(spec: str, expected: str) -> None:
    """Nobody who writes YAML knows what a tuple or a dictionary is."""
    text = f"apiVersion: turngraph/v1\nkind: LLMClient\nmetadata: {{name: a}}\nspec: {spec}\n"
    with pytest.raises(ManifestError, match=re.escape(expected)):
        load_manifests(text)
