"""Whether the built documentation site is whole: python -m tests.site docs/_build/html

Run by `make docs` after Sphinx: every link inside the site leads to a page and a place on it, and
no page loads anything from the network.
"""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

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
    """One sentence for each dead link, and for each thing that comes from the network."""
    pages = {path.resolve(): Page(path.read_text("utf-8")) for path in folder.rglob("*.html")}
    wrong = []
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


if __name__ == "__main__":
    found = problems(Path(sys.argv[1]))
    print("\n".join(found) or "docs: no dead link, nothing from the network")
    sys.exit(1 if found else 0)
