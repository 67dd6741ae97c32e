"""The documentation site: `make docs` builds it with Sphinx, offline, from these pages and the
docstrings.
"""

import importlib
import re
from pathlib import Path
from types import ModuleType
from typing import Final

from sphinx.application import Sphinx

import turngraph

project = "turngraph"
author = "The turngraph authors"
project_copyright = author
version = release = turngraph.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"turngraph {release}"
html_copy_source = html_show_sourcelink = False
pygments_style, pygments_dark_style = "friendly", "github-dark"

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3

autosummary_generate = False
autodoc_typehints_format = "short"
autodoc_member_order = "bysource"
autodoc_default_options = {
    "members": True,
    "undoc-members": True,
    "exclude-members": "model_config, model_post_init",
}
default_role = "code"  # docstrings are Markdown: `x` is code

# Types of other packages have no page here, as nothing is asked of the network; nor have the types
# of internal modules. A reference to a public name (`turngraph.Ledger`) must lead somewhere.
nitpick_ignore_regex = [(r"py:.*", r"(?!turngraph\.).*"), (r"py:.*", r"turngraph\.\w+\.\w+.*")]
suppress_warnings = ["ref.python"]  # `type` is a field of every event, and a word of annotations

ROOMS: Final = {
    "turngraph": "What most programs need",
    "turngraph.state": "What a turn is: its data, events and errors",
    "turngraph.providers": "The wire and the table of vendors",
    "turngraph.tools": "What a model may call",
    "turngraph.billing": "Prices, charges, budgets and the ledger",
    "turngraph.nodes": "What the stages are given",
    "turngraph.graphs": "The wiring",
    "turngraph.scripted": "The scripted model",
    "turngraph.drawing": "Pictures of graphs",
    "turngraph.interfaces": "Serving",
    "turngraph.interfaces.stepper": "Stepping through a turn",
    "turngraph.interfaces.studio": "The studio, mounted in a server",
}
"""The packages with public names, in the order of the reference. A name that two of them have is
described once.
"""


def write_reference(folder: Path) -> None:
    """Writes one page for each room: a summary of its public names, and their docstrings."""
    folder.mkdir(parents=True, exist_ok=True)
    described: dict[int, str] = {}
    for room, title in ROOMS.items():
        module = importlib.import_module(room)
        names = {f"{room}.{name}": getattr(module, name) for name in sorted(module.__all__)}
        fresh = [path for path, value in names.items() if id(value) not in described]
        elsewhere = [described[id(value)] for path, value in names.items() if path not in fresh]
        described |= {id(names[path]): path for path in fresh}
        page = [f"# `{room}`", f"{title}.", ""]
        if elsewhere:
            links = ", ".join(f"{{py:obj}}`{path}`" for path in elsewhere)
            page += [f"It also offers, described elsewhere: {links}.", ""]
        if fresh:
            page += ["```{eval-rst}", ".. autosummary::", "   :nosignatures:", ""]
            page += [f"   ~{path}" for path in fresh]
            for path in fresh:
                page += ["", *_directive(path, names[path])]
            page += ["```"]
        target = folder / f"{room}.md"
        text = "\n".join(page) + "\n"
        if not target.exists() or target.read_text("utf-8") != text:
            target.write_text(text, "utf-8")


def _directive(path: str, value: object) -> list[str]:
    """The directive of autodoc for one public name."""
    if isinstance(value, type):
        return [f".. autoclass:: {path}", "   :show-inheritance:", *_inherited(value)]
    if callable(value) and hasattr(value, "__qualname__"):
        return [f".. autofunction:: {path}"]
    return [f".. autodata:: {path}", "   :no-value:"]


def _inherited(kind: type) -> list[str]:
    """The option by which a class shows the members of its internal bases, which have no page.

    Autodoc is told at which bases to stop: those that are described elsewhere.
    """
    public = {id(getattr(module, name)) for module in _modules() for name in module.__all__}
    bases = [base for base in kind.__mro__[1:] if base is not object]
    internal = [base for base in bases if base.__module__.startswith("turngraph.")]
    if all(id(base) in public for base in internal):
        return []
    stops = {base.__name__ for base in bases if base not in internal or id(base) in public}
    return [f"   :inherited-members: {', '.join(sorted(stops)) or 'object'}"]


def _modules() -> list[ModuleType]:
    return [importlib.import_module(room) for room in ROOMS]


CODE: Final = re.compile(r"(?ms)(^ *>>> .*?(?=\n\s*\n|\Z)|``[^`]+``|`[^`]+`)")
"""Code in a docstring: an example up to its blank line, and what stands between backticks."""


INDENTED: Final = re.compile(r"(?m)(^\S.*\n)\n(?= {4}(?!>>>|- )\S)")
"""Where code begins that is no example: an indented paragraph after one that is not."""


def markdown_to_rst(
    app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]
) -> None:
    """Docstrings are Markdown in plain text: outside of code, `*`, `|` and `_` mean themselves."""
    parts = CODE.split(INDENTED.sub(r"\1\n::\n\n", "\n".join(lines)))
    parts[::2] = [re.sub(r"([*|]|_(?!\w))", r"\\\1", part) for part in parts[::2]]
    for number in range(1, len(parts), 2):
        if re.fullmatch(r"`[^`\s]([^`]*[^`\s])?`", parts[number]):
            parts[number] = f"`{parts[number]}`"
        if re.match(r"\w", parts[number + 1]):  # as in "`BaseTool`s"
            parts[number] += "\\ "
    lines[:] = "".join(parts).split("\n")


def setup(app: Sphinx) -> None:
    """Called by Sphinx: the pages of the reference are written before it looks for pages."""
    write_reference(Path(app.srcdir) / "reference" / "rooms")
    app.connect("autodoc-process-docstring", markdown_to_rst, priority=400)
