"""`turngraph vendors`: the table of vendors, read from their profiles."""

from collections.abc import Iterator, Mapping
from typing import Annotated, NamedTuple

from cyclopts import Parameter
from rich.table import Table

from turngraph.interfaces.cli.output.files import report_console
from turngraph.providers.vendors.profiles import VENDORS, VendorProfile

__all__ = ["vendors", "vendors_markdown"]


class _Row(NamedTuple):
    vendor: str
    endpoint: str
    key: str
    apis: str


def vendors(*, markdown: Annotated[bool, Parameter(negative="")] = False) -> None:
    """List the vendors whose models can be asked.

    Parameters
    ----------
    markdown
        Print the table as Markdown, as it stands in README.md.
    """
    if markdown:
        print(vendors_markdown())
        return
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for heading in ("vendor", "endpoint", "key in", "APIs"):
        table.add_column(heading, overflow="fold")
    for row in _rows(VENDORS):
        table.add_row(*row)
    report_console().print(table)


def vendors_markdown() -> str:
    """Returns the table of vendors as Markdown."""
    lines = ["| vendor | endpoint | key in | APIs |", "| --- | --- | --- | --- |"]
    for row in _rows(VENDORS):
        endpoint = f"`{row.endpoint}`" if "//" in row.endpoint else row.endpoint
        key = (
            " or ".join(f"`{name}`" for name in row.key.split(" or "))
            if row.key != "none"
            else "none"
        )
        lines.append(f"| `{row.vendor}` | {endpoint} | {key} | {row.apis} |")
    return "\n".join(lines)


def _rows(profiles: Mapping[str, VendorProfile]) -> Iterator[_Row]:
    for profile in profiles.values():
        endpoint = profile.base_url or profile.base_url_pattern or "the one you give"
        yield _Row(profile.name, endpoint, " or ".join(profile.key_env) or "none", _apis(profile))


def _apis(profile: VendorProfile) -> str:
    """Names the APIs of a vendor; the one that is asked by default comes first."""
    if profile.responses == "none":
        return "chat"
    return "responses, chat" if profile.api == "responses" else "chat, responses"
