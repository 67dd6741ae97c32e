"""Documentation of the manifests, generated from their models.

JSON schemas for editors, a reference page, and templates for new manifests.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from turngraph.state.errors import TurnConfigurationError
from turngraph.state.json_types import JsonObject
from turngraph.tools.manifests.kinds import KINDS
from turngraph.tools.manifests.parts import NATIVE, Manifest
from turngraph.tools.text import backticked

__all__ = ["manifest_schema", "new_manifest", "reference_page"]

TEMPLATES: Final[Mapping[str, str]] = {
    "Plugin": """\
spec:
  selector:
    directive: search_terms # or always, or llm: when the model calls it
    search_terms: [opening hours]
  prompt:
    system_role: What the model should know while this plugin is in the conversation.
  data:
    description: What this plugin knows; the model reads it.
    static_data:
      opening_hours: { weekdays: 9 to 5, sunday: closed }
""",
    "SqlPlugin": """\
spec:
  selector: { directive: search_terms, search_terms: [order] }
  connection: my_sql_connection # the name of a SqlConnection
  sql_data:
    description: Finds orders by customer; the model reads it.
    sql_query: SELECT id, total FROM orders WHERE customer = {customer}
    parameters:
      - { name: customer, type: string, required: true, description: The customer's number }
    test_values:
      - { name: customer, value: C-17 }
    limit: 20
""",
    "ApiPlugin": """\
spec:
  selector: { directive: llm }
  connection: my_api_connection # the name of an ApiConnection
  api_data:
    description: Looks up a parcel; the model reads it.
    endpoint: /parcels/{number}
    parameters:
      - { name: number, type: string, required: true, description: The parcel's number }
    test_values:
      - { name: number, value: "1Z999" }
""",
    "SqlConnection": """\
spec:
  connection:
    db_engine: postgresql # or mysql, mariadb, sqlite, or any SQLAlchemy dialect
    hostname: db.example.com
    database: shop
    username: reader # may only read
    password: env:SHOP_DB_PASSWORD # or file:…, keyring:…, or the name of a Secret
    timeout: 10
    use_ssl: true
""",
    "ApiConnection": """\
spec:
  connection:
    base_url: https://api.example.com/v1
    auth_method: bearer # or none, basic, header, oauth
    api_key: env:EXAMPLE_API_KEY
    timeout: 10
""",
    "Secret": """\
spec:
  config:
    value_from: env:MY_SECRET # or file:…, keyring:…
    expiration_date: "2030-12-31"
""",
    "LLMClient": """\
spec:
  config:
    provider: openai
    default_model: gpt-5-mini
    default_system_role: You are a helpful assistant.
    default_temperature: 0.5
    default_max_tokens: 2048
  plugins: []
  functions: [calculator]
""",
    "Provider": """\
spec:
  provider:
    name: my_vendor
    base_url: https://llm.example.com/v1
    api_key: env:MY_VENDOR_KEY
""",
}


def manifest_schema(kind: str, api_version: str = NATIVE) -> JsonObject:
    """Returns the JSON schema of manifests of `kind` in the dialect `api_version`.

    Editors use it to complete and check YAML.

    >>> manifest_schema("Secret")["properties"]["kind"]
    {'const': 'Secret', 'title': 'Kind', 'type': 'string'}

    Raises TurnConfigurationError for an unknown kind.
    """
    native = api_version == NATIVE
    schema = _model(kind).model_json_schema(by_alias=not native)
    properties = schema["properties"]
    # `apiVersion` is spelled alike in both dialects, whatever the model calls its field.
    version = properties.pop("api_version" if native else "apiVersion")
    schema["properties"] = {"apiVersion": version | {"const": api_version}} | properties
    schema["required"] = [
        "apiVersion",
        *(name for name in schema["required"] if name not in ("api_version", "apiVersion")),
    ]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def new_manifest(kind: str, name: str = "my_manifest") -> str:
    """Returns the text of a new manifest. It loads as it is, next to the connection it names.

    >>> print(new_manifest("Secret").splitlines()[1])
    kind: Secret

    Raises TurnConfigurationError for an unknown kind.
    """
    _model(kind)
    return (
        f"apiVersion: {NATIVE}\nkind: {kind}\nmetadata:\n  name: {name}\n"
        f"  description: What this is, for people.\n  version: 0.1.0\n{TEMPLATES[kind]}"
    )


INTRODUCTION: Final = """\
# Manifests

A manifest is a YAML or JSON file, or one document of such a file, that describes a plugin, what a
plugin needs, or a turn by name. [Add a plugin](how-to/plugin.md) shows a whole one. `turngraph
plugins new KIND` prints one to begin with, and `turngraph plugins check FOLDER` names every mistake
with its file and line. A field that is `null` counts as not given. This page is made from the code.

## The two dialects

- `turngraph/v1`: fields are named as on this page. A field or kind that is not known is refused.
- `smarter.sh/v1`, for manifests that were written for the Smarter platform: fields are in camelCase
  (`searchTerms`) or as on this page. A field or kind that is not known is a warning. A
  `metadata.name` that is not in snake_case is rewritten, with a warning. Where a plugin has no
  `description` of its own, that of its `metadata` is used. `Chatbot` means `LLMClient`.
"""


def reference_page() -> str:
    """Returns a Markdown page with every field of every kind: name, type, default, meaning."""
    lines = [INTRODUCTION]
    common = manifest_schema("Plugin")
    lines += ["## Every manifest", "", "These fields are the same in each kind.", ""]
    rows = {row[0]: row for row in _rows(common, common, "") if not _is_spec(row)}
    rows["`kind`"] = ("`kind`", "string", "required", "The title of one of the sections below.")
    lines += [*_table(rows.values()), ""]
    for kind, model in KINDS.items():
        schema = manifest_schema(kind)
        lines += [f"## {kind}", "", (model.__doc__ or "").strip().split("\n")[0], ""]
        lines += [*_table(row for row in _rows(schema, schema, "") if _is_spec(row)), ""]
    return "\n".join(lines)


def _table(rows: Iterable[tuple[str, str, str, str]]) -> list[str]:
    head = ["| field | type | default | meaning |", "|---|---|---|---|"]
    return [*head, *(f"| {' | '.join(row)} |" for row in rows)]


def _is_spec(row: tuple[str, str, str, str]) -> bool:
    return row[0].startswith("`spec")


def _model(kind: str) -> type[Manifest]:
    if kind not in KINDS:
        raise TurnConfigurationError(
            f"No kind of manifest is named `{kind[:50]}`. There are: {backticked(KINDS)}."
        )
    return KINDS[kind]


def _rows(
    schema: Mapping[str, Any], root: Mapping[str, Any], prefix: str
) -> Iterator[tuple[str, str, str, str]]:
    """Yields a table row for each field of `schema` and of the parts in it.

    `root` is the whole schema, which contains the definitions.
    """
    required = schema.get("required", ())
    for name, field in schema.get("properties", {}).items():
        part = _part_of(field, root)
        path = f"{prefix}{name}"
        default = "required" if name in required else _default(field)
        meaning = " ".join((field.get("description") or part.get("description", "")).split())
        # A bar would end the cell of a Markdown table.
        yield f"`{path}`", _type_name(field, root), default, meaning.replace("|", "\\|")
        if "properties" in part:
            yield from _rows(part, root, f"{path}{'[]' if _is_list(field) else ''}.")


def _part_of(field: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns the definition of the part that `field` contains: itself, as an option, or in a
    list.
    """
    for place in (field, field.get("items", {}), *field.get("anyOf", ())):
        if "$ref" in place:
            name = place["$ref"].rpartition("/")[2]
            part: Mapping[str, Any] = root["$defs"][name]
            return part
    return field


def _is_list(field: Mapping[str, object]) -> bool:
    return bool(field.get("type") == "array")


def _default(field: Mapping[str, object]) -> str:
    value = field.get("default")
    return "" if value in (None, [], {}, "") or isinstance(value, dict) else f"`{value}`"


def _type_name(field: Mapping[str, Any], root: Mapping[str, Any]) -> str:
    if "const" in field:
        return f"`{field['const']}`"
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if "anyOf" in field:
        options = (option for option in field["anyOf"] if option.get("type") != "null")
        return " or ".join(dict.fromkeys(_type_name(option, root) for option in options))
    if _is_list(field):
        return f"list of {_type_name(field.get('items', {}), root)}"
    kind = str(field.get("type", "any"))
    return "mapping" if kind == "object" or "$ref" in field else kind
