"""Schemas, templates and the reference page agree with the models they are generated from."""

import pytest
from jsonschema import Draft202012Validator

from tests.paths import GALLERY, ROOT
from turngraph.state.errors import TurnConfigurationError
from turngraph.tools.manifests.kinds import KINDS
from turngraph.tools.manifests.loading import load_manifests
from turngraph.tools.manifests.schema import manifest_schema, new_manifest, reference_page
from turngraph.tools.manifests.yaml_text import read_documents

CONNECTIONS = {"SqlPlugin": "SqlConnection", "ApiPlugin": "ApiConnection"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_template_loads_as_it_is(kind: str) -> None:
    """`plugins new KIND` prints a manifest that works next to its connection."""
    text = new_manifest(kind)
    if kind in CONNECTIONS:
        text += "---\n" + new_manifest(
            CONNECTIONS[kind],
            name="my_sql_connection" if kind == "SqlPlugin" else "my_api_connection",
        )
    load_manifests(text)
    Draft202012Validator(manifest_schema(kind)).validate(read_documents(text)[0].value)


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_is_documented(kind: str) -> None:
    """In the schema that editors show, and on the reference page."""
    schema = manifest_schema(kind, "smarter.sh/v1")
    Draft202012Validator.check_schema(schema)
    assert schema["properties"]["apiVersion"]["const"] == "smarter.sh/v1"
    page = reference_page()
    assert f"## {kind}\n" in page
    assert "| `spec." in page.split(f"## {kind}\n")[1]


def test_the_examples_fit_the_schemas() -> None:
    """An editor must not underline a manifest that loads."""
    for file in GALLERY.glob("*.yaml"):
        for document in read_documents(file.read_text()):
            schema = manifest_schema(document.value["kind"], document.value["apiVersion"])
            Draft202012Validator(schema).validate(document.value)


def test_the_schema_refuses_what_the_loader_refuses() -> None:
    """As far as JSON schema can express the rules."""
    [document] = read_documents(new_manifest("Plugin").replace("static_data", "statik_data"))
    assert not Draft202012Validator(manifest_schema("Plugin")).is_valid(document.value)


def test_an_unknown_kind_is_refused() -> None:
    """The message has the known kinds."""
    with pytest.raises(
        TurnConfigurationError, match=r"named `Plugn`\. There are: `Plugin`, `SqlPlugin`"
    ):
        new_manifest("Plugn")


def test_the_reference_page_is_up_to_date() -> None:
    """Renew it: python -c "from turngraph.tools.manifests.schema import reference_page as p;
    print(p())".
    """
    page = ROOT / "docs" / "manifests.md"
    assert page.read_text() == reference_page() + "\n"
