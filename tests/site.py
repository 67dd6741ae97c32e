"""Whether the built documentation site is whole: python -m tests.site docs/_build/html

Run by `make docs` after Sphinx: every link inside the site leads to a page and a place on it, no
page loads anything from the network, and the reference describes every method of a public class.
"""

import sys
from html.parser import HTMLParser
from pathlib import Path
from types import FunctionType
from urllib.parse import unquote, urlsplit

import turngraph

LOADED = {
    "script": "src",
    "img": "src",
    "iframe": "src",
    "link": "href",
    "source": "src",
    "object": "data",
}
"""What a browser fetches by itself, and the attribute that names it."""


class Page(HTMLParser):
    """The ids of a page, the links on it, and what a browser loads with it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Called by HTMLParser for each opening tag."""
        given = dict(attrs)
        self.ids.update(value for name in ("id", "name") if (value := given.get(name)))
        if tag == "a" and (link := given.get("href")):
            self.links.append(link)
        if (source := given.get(LOADED.get(tag, ""))) is not None:
            self.loaded.append(source)


def problems(folder: Path) -> list[str]:
    """One sentence for each dead link, for each thing that comes from the network, and for each
    public method that no page describes.
    """
    pages = {path.resolve(): Page(path.read_text("utf-8")) for path in folder.rglob("*.html")}
    wrong = missing_members({place for page in pages.values() for place in page.ids})
    for path, page in pages.items():
        name = path.relative_to(folder.resolve())
        wrong += [
            f"{name} loads {source} from the network"
            for source in page.loaded
            if urlsplit(source).netloc
        ]
        for link in [*page.links, *page.loaded]:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.exists():
                wrong.append(f"{name} links to {link}, which is not there")
            elif parts.fragment and target in pages and parts.fragment not in pages[target].ids:
                wrong.append(f"{name} links to {link}, but that page has no such place")
    return sorted(set(wrong))


def missing_members(ids: set[str]) -> list[str]:
    """One sentence for each method or property of a public class that none of `ids` is about.

    Many are inherited: from an internal class, which has no page, or from a public one.
    """
    described = {tuple(place.split(".")[-2:]) for place in ids} | {("BaseModel", "model_post_init")}
    return [
        f"the reference does not describe turngraph.{name}.{member}"
        for name in turngraph.__all__
        for base in getattr(getattr(turngraph, name), "__mro__", ())
        if base.__module__.startswith("turngraph.")
        for member, value in vars(base).items()
        if not member.startswith("_") and isinstance(value, FunctionType | property)
        if not {(name, member), (base.__name__, member), ("BaseModel", member)} & described
    ]


if __name__ == "__main__":
    found = problems(Path(sys.argv[1]))
    print("\n".join(found) or "docs: no dead link, nothing from the network, no method left out")
    sys.exit(1 if found else 0)
