"""The pages a newcomer reads are true: their code runs, their commands exist, their links lead
somewhere.
"""

import ast
import importlib.util
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from cyclopts import CycloptsError

from tests.paths import ROOT
from tests.vendor_table import vendors_forgotten
from turngraph import (
    ProviderConfig,
    ScriptedModel,
    TurnError,
    TurnGraph,
    TurnResult,
    load_manifests,
)
from turngraph.billing import load_prices
from turngraph.interfaces.cli.app import app
from turngraph.interfaces.cli.commands.vendors import vendors_markdown
from turngraph.providers import VendorProfile
from turngraph.state.errors import ERROR_KINDS
from turngraph.state.turn_error import TurnErrorKind

DOCS = ROOT / "docs"
GENERATED = ("_build", "rooms")
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *(page for page in DOCS.rglob("*.md") if not set(page.parts) & set(GENERATED)),
    ]
)
"""Every page that a person wrote. `make docs` writes the others, from the docstrings."""
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
REAL = '"openai:gpt-5-mini"'
"""A model of OpenAI's, for which the scripted model stands in: pages show what people type."""


def blocks(page: Path, language: str) -> list[str]:
    """The code blocks of `page` in this language."""
    return [code for name, code in BLOCK.findall(page.read_text("utf-8")) if name == language]


def page_name(page: Path) -> str:
    """The path of `page` from the root of the repository."""
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=page_name)
def test_the_code_on_a_page_runs(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The blocks of a page run from top to bottom, with the scripted model in OpenAI's place.

    The scripted model refuses what OpenAI would refuse, so nothing else is sent. No turn may end
    in an error that the page does not expect, because such a turn would prove nothing.
    """
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    results = watch_results(monkeypatch)
    with ScriptedModel() as model, vendors_forgotten():
        openai = ProviderConfig(
            vendor="openai",
            model="gpt-5-mini",
            base_url=model.base_url,
            api_key="none",
            api="responses",
        )
        names: dict[str, Any] = {"__name__": "page", "OPENAI": openai}
        for number, code in enumerate(blocks(page, "python"), 1):
            source = compile(
                code.replace(REAL, "OPENAI"),
                f"{page.name}, block {number}",
                "exec",
                dont_inherit=True,
            )
            exec(source, names)
    errors = [result.error for result in results if result.error]
    assert [error for error in errors if error.kind not in EXPECTED_KINDS] == []


EXPECTED_KINDS = {"budget"}
"""Kinds of errors that pages show on purpose: a budget that refuses."""


def test_the_prices_on_a_page_are_a_price_file(tmp_path: Path) -> None:
    """A reader who copies them gets a file that turngraph reads."""
    (block,) = blocks(DOCS / "money.md", "yaml")
    (tmp_path / "prices.yaml").write_text(block)
    assert load_prices(tmp_path / "prices.yaml").prices[1].currency == "EUR"


def test_the_manifest_on_a_page_is_a_plugin(tmp_path: Path) -> None:
    """A reader who copies it gets a plugin that turngraph loads."""
    (block,) = blocks(DOCS / "how-to" / "plugin.md", "yaml")
    (tmp_path / "shop.yaml").write_text(block)
    assert [plugin.name for plugin in load_manifests(tmp_path)] == ["shop"]


def test_the_row_on_the_page_about_vendors_is_a_row() -> None:
    """A reader who copies it gets a row that the table of vendors takes."""
    (block,) = blocks(DOCS / "how-to" / "vendor.md", "yaml")
    ((name, row),) = yaml.safe_load(block).items()
    rules = [
        {
            "match": rule.pop("match"),
            "example": rule.pop("example"),
            "quirks": rule,
        }
        for rule in row.pop("models")
    ]
    assert (
        VendorProfile.model_validate({**row, "name": name, "models": rules})
        .for_model("lumen-think-2")
        .reasons_by_default
    )


def test_the_picture_of_the_floors_is_current() -> None:
    """`make pictures` draws it anew when a room imports from another one for the first time."""
    spec = importlib.util.spec_from_file_location("floors", DOCS / "floors.py")
    assert spec is not None
    assert spec.loader is not None
    floors = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(floors)
    assert floors.picture() == (DOCS / "floors.svg").read_text("utf-8")


def imported(page: Path) -> Iterator[tuple[str, str]]:
    """Every package of turngraph that the code of a page imports from, and the name."""
    for code in blocks(page, "python"):
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("turngraph"):
                yield from ((str(node.module), alias.name) for alias in node.names)


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_a_page_imports_public_names_alone(page: Path) -> None:
    """What a reader copies from a page must not break when a file inside a room is moved."""
    public = (ROOT / "tests" / "public_names.txt").read_text("utf-8").splitlines()
    names = [f"{package}.{name}" for package, name in imported(page)]
    assert [name for name in names if name not in public] == []


def watch_results(monkeypatch: pytest.MonkeyPatch) -> list[TurnResult]:
    """A list to which every turn adds its result when it is invoked."""
    results: list[TurnResult] = []
    invoke = TurnGraph.invoke

    def invoke_and_note(self: TurnGraph, *args: Any, **kwargs: Any) -> Any:
        out = invoke(self, *args, **kwargs)
        if isinstance(out, dict) and out.get("result") is not None:
            results.append(out["result"])
        return out

    monkeypatch.setattr(TurnGraph, "invoke", invoke_and_note)
    return results


def typed_commands() -> Iterator[tuple[str, str]]:
    """Every `turngraph …` in a block of shell, with the page it stands on."""
    for page in PAGES:
        for line in "".join(blocks(page, "sh")).splitlines():
            command = line.split(" #")[0]
            typed = re.search(r"(?:^|/|\| *|\s)turngraph (?!\|)([^|>]*)", command)
            if typed and not re.search(r"\b(pip|uv) ", command):
                yield page_name(page), typed.group(1).strip()


@pytest.mark.parametrize(("page", "line"), list(typed_commands()))
def test_the_commands_on_a_page_are_taken(page: str, line: str) -> None:
    """Every option that is shown exists and takes the value that is shown."""
    try:
        app.parse_args(shlex.split(line, comments=True), exit_on_error=False, print_error=False)
    except CycloptsError as exc:
        pytest.fail(f"{page}: turngraph {line}: {exc}")


def test_every_make_target_on_a_page_exists() -> None:
    """A reader who types it gets what the page promises."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    shown = {
        target for page in PAGES for target in re.findall(r"\bmake ([a-z-]+)\b`?", code_of(page))
    }
    assert shown <= targets


def code_of(page: Path) -> str:
    """The shell blocks of a page, and its code between backticks."""
    text = page.read_text("utf-8")
    return "\n".join([*blocks(page, "sh"), *re.findall(r"`([^`\n]+)`", text)])


def test_links_inside_the_repository_lead_somewhere() -> None:
    """A link to a page that was moved is found here."""
    for page in PAGES:
        for link in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text("utf-8")):
            if "://" not in link:
                assert (page.parent / link).exists(), (
                    f"{page_name(page)} links to {link}, which is not there"
                )


def test_the_table_of_vendors_is_the_one_in_the_code() -> None:
    """Renew it with `turngraph vendors --markdown`."""
    text = (ROOT / "README.md").read_text("utf-8")
    table = re.search(r"<!-- made by .*? -->\n(.*?)\n<!-- end -->", text, re.DOTALL)
    assert table is not None
    assert table.group(1) == vendors_markdown()


def test_the_table_of_errors_is_the_one_in_the_code() -> None:
    """The kinds, whether another attempt may help, and the HTTP status that a caller gets."""
    rows = re.findall(
        r"^\| `(\w+)` \| .*? \| (yes|no) \| (\d+) \|$",
        (ROOT / "docs/errors.md").read_text(),
        re.MULTILINE,
    )
    kinds = {kind for union in get_args(TurnErrorKind) for kind in get_args(union)}
    assert sorted(kind for kind, _, _ in rows) == sorted(kinds)
    for kind, retried, status in rows:
        assert TurnError(kind=kind, message="").http_status == int(status)
        assert (retried == "yes") == (kind in ERROR_KINDS and ERROR_KINDS[kind].retryable)
