"""The pages a newcomer reads are true: their code runs, their commands exist, their links lead
somewhere.
"""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from cyclopts import CycloptsError

from tests.paths import ROOT
from turngraph.billing import load_prices
from turngraph.graphs import TurnGraph
from turngraph.interfaces.cli.app import app
from turngraph.interfaces.cli.commands.vendors import vendors_markdown
from turngraph.providers.config import ProviderConfig
from turngraph.scripted import ScriptedModel
from turngraph.state.errors import ERROR_KINDS
from turngraph.state.turn_error import TurnError, TurnErrorKind

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
REAL = '"openai:gpt-5-mini"'


def blocks(page: Path, language: str) -> list[str]:
    """The blocks of code in `page` that are in this language."""
    return [code for name, code in BLOCK.findall(page.read_text("utf-8")) if name == language]


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=named)
def test_the_code_on_a_page_runs(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From top to bottom, as it stands, with the scripted model in the place of OpenAI's.

    Nothing is sent to it that OpenAI would refuse: the scripted model refuses that too. A turn that
    ends in an error would prove nothing, so none may.
    """
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    ended = watch_results(monkeypatch)
    with ScriptedModel() as model:
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
    assert [result.error for result in ended if result.error] == []


def test_the_prices_on_a_page_are_a_price_file(tmp_path: Path) -> None:
    """Whoever copies them is not told that they cannot be read."""
    (block,) = blocks(ROOT / "docs/money.md", "yaml")
    (tmp_path / "prices.yaml").write_text(block)
    assert load_prices(tmp_path / "prices.yaml").prices[1].currency == "EUR"


def watch_results(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """A list that every turn adds its result to, when it is invoked."""
    ended: list[Any] = []
    invoke = TurnGraph.invoke

    def noting(self: TurnGraph, *args: Any, **kwargs: Any) -> Any:
        out = invoke(self, *args, **kwargs)
        if isinstance(out, dict) and out.get("result") is not None:
            ended.append(out["result"])
        return out

    monkeypatch.setattr(TurnGraph, "invoke", noting)
    return ended


def typed_commands() -> Iterator[tuple[str, str]]:
    """Every `turngraph …` in a block of shell."""
    for page in PAGES:
        for line in "".join(blocks(page, "sh")).splitlines():
            found = re.search(r"\bturngraph (?!\|)([^|>]*)", line)
            if found:
                yield named(page), found.group(1)


@pytest.mark.parametrize(("page", "line"), list(typed_commands()))
def test_the_commands_on_a_page_are_taken(page: str, line: str) -> None:
    """Every option that is shown exists, and takes what it is given."""
    try:
        app.parse_args(shlex.split(line, comments=True), exit_on_error=False, print_error=False)
    except CycloptsError as exc:
        pytest.fail(f"{page}: turngraph {line}: {exc}")


def test_every_make_target_on_a_page_exists() -> None:
    """`make` says of a target that is not there only that it is not there."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    shown = {
        target for page in PAGES for target in re.findall(r"\bmake ([a-z-]+)\b`?", code_of(page))
    }
    assert shown <= targets


def code_of(page: Path) -> str:
    """What stands on a page as code: blocks of shell, and between backticks."""
    text = page.read_text("utf-8")
    return "\n".join([*blocks(page, "sh"), *re.findall(r"`([^`\n]+)`", text)])


def test_links_inside_the_repository_lead_somewhere() -> None:
    """A page that was moved leaves its readers behind."""
    for page in PAGES:
        for link in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text("utf-8")):
            if "://" not in link:
                assert (page.parent / link).exists(), (
                    f"{named(page)} links to {link}, which is not there"
                )


def test_the_table_of_vendors_is_the_one_in_the_code() -> None:
    """Renew it with `turngraph vendors --markdown`."""
    text = (ROOT / "README.md").read_text("utf-8")
    table = re.search(r"<!-- made by .*? -->\n(.*?)\n<!-- end -->", text, re.DOTALL)
    assert table is not None
    assert table.group(1) == vendors_markdown()


def test_the_table_of_errors_is_the_one_in_the_code() -> None:
    """Which kinds there are, whether another attempt may help, and the status a caller is told."""
    rows = re.findall(
        r"^\| `(\w+)` \| .*? \| (yes|no) \| (\d+) \|$",
        (ROOT / "docs/errors.md").read_text(),
        re.MULTILINE,
    )
    kinds = {kind for union in get_args(TurnErrorKind) for kind in get_args(union)}
    assert sorted(kind for kind, _, _ in rows) == sorted(kinds)
    for kind, retried, status in rows:
        assert TurnError(kind=kind, message="").http_status == int(status)  # type: ignore[arg-type]
        assert (retried == "yes") == (kind in ERROR_KINDS and ERROR_KINDS[kind].retryable)  # type: ignore[index]
