"""Existing manifests load unchanged; all problems of others are reported with file and line."""

import json
from pathlib import Path

import pytest

from turngraph.state.errors import TurnConfigurationError
from turngraph.tools.manifests.kinds import FOREIGN_KINDS, KINDS
from turngraph.tools.manifests.loading import load_manifests
from turngraph.tools.manifests.problems import ManifestError
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
        STATIC.replace("ice_cream_parlour", "Ice Cream").replace(
            "temperature: 0.0", "temperature: 7"
        )
    )
    (tmp_path / "b.yaml").write_text(
        NATIVE.replace("llm", "sometimes") + "---\nkind: Plugin\n---\nx: [\n"
    )
    with pytest.raises(ManifestError) as refused:
        load_manifests(tmp_path)
    assert [str(problem) for problem in refused.value.problems] == [
        "a.yaml:4: metadata.name: must match ^[a-z][a-z0-9_]*$, but is 'Ice Cream'",
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
        ("kind: Plugin", "kind: VectorStore", "kind of the platform .* does not run it"),
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
        ("maxTokens: 256", "maxTokens: many", "spec.prompt.maxTokens: .*integer"),
        ("    description: What the parlour offers.\n", "", "spec.data.description: is missing"),
        ("spec:\n", "spec: 7\nx:\n", "spec: input should be .*but is 7"),
        ("staticData:", "staticData: 5\n    x:", "spec.data.staticData: "),
    ],
)
def test_a_wrong_field_is_reported_by_path(old: str, new: str, message: str) -> None:
    """Nothing is silently ignored or replaced by a default."""
    with pytest.raises(ManifestError, match=message):
        load_manifests(STATIC.replace(old, new))


@pytest.mark.parametrize("kind", sorted(FOREIGN_KINDS))
def test_kinds_of_the_platform_are_refused_by_name(kind: str) -> None:
    """Authors learn why such a manifest has no effect."""
    with pytest.raises(ManifestError, match=f"{kind} is a kind of the platform"):
        load_manifests(
            f"apiVersion: smarter.sh/v1\nkind: {kind}\nmetadata: {{name: x}}\nspec: {{}}\n"
        )


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
