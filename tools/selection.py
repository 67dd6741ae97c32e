"""Which plugins join a turn, and what they bring to its requests. Pure functions for the stages to
call.
"""

from collections.abc import Collection, Iterable, Sequence
from itertools import islice
from typing import Any, Final, NamedTuple

from langchain_core.messages import BaseMessage, HumanMessage

from turngraph.state.base import Frozen
from turngraph.state.request import ChatRequest
from turngraph.tools.plugin import Plugin
from turngraph.tools.terms import SearchedText, find_term
from turngraph.tools.toolbox import Toolbox

__all__ = ["Joined", "Selected", "join_request", "offer", "select_plugins", "text_of"]

MAX_MESSAGES: Final = 100
"""Of the user, that are searched for terms, the newest first."""
SETTINGS: Final = ("model", "temperature", "max_tokens")


class Selected(Frozen):
    """A plugin that joins a turn, and why. Plain data, fit for the state and for an event."""

    plugin: str
    directive: str
    term: str | None = None
    """The search term that occurred."""


class Joined(NamedTuple):
    """A request with what plugins brought, and by plugin the settings that an earlier one had
    already set.
    """

    request: ChatRequest
    ignored: dict[str, tuple[str, ...]]


def select_plugins(
    plugins: Iterable[Plugin], messages: Sequence[BaseMessage]
) -> tuple[Selected, ...]:
    """The plugins that join this turn, in their own order.

    `search_terms` looks at the last message of the user, then at the earlier ones; `llm` always
    joins with its tool, and with its prompt once it was called.
    """
    texts: list[SearchedText] | None = None
    found = []
    for plugin in plugins:
        directive, term = plugin.selector.directive, None
        if directive == "search_terms":
            texts = _texts(messages) if texts is None else texts
            term = _first_term(plugin, texts)
            if term is None:
                continue
        found.append(Selected(plugin=plugin.name, directive=directive, term=term))
    return tuple(found)


def offer(toolbox: Toolbox, plugins: Iterable[Plugin], selected: Iterable[Selected]) -> Toolbox:
    """The tools of this turn: everything but the plugins that did not join.

    Its `specs` go into the request, and calls are checked against it: a plugin that did not join
    cannot be called.
    """
    absent = {plugin.name for plugin in plugins} - {one.plugin for one in selected}
    return toolbox if not absent else toolbox.only({spec.name for spec in toolbox.specs} - absent)


def join_request(
    request: ChatRequest,
    plugins: Iterable[Plugin],
    selected: Iterable[Selected],
    *,
    called: Collection[str] = (),
    keep: Collection[str] = (),
) -> Joined:
    """`request` with the system roles and model settings of the plugins that joined.

    A plugin the model decides about (`llm`) brings its own only when it is among those `called` in
    this turn. Of two plugins that set the same field, the first in order wins. Fields in `keep`
    were set by the caller, and stay. A model of another vendor than the request's is ignored.

    Give it the request as the turn began, not one that was joined before: roles would be there
    twice.
    """
    joining = {one.plugin for one in selected if one.directive != "llm" or one.plugin in called}
    joined = [plugin for plugin in plugins if plugin.name in joining]
    roles = [
        plugin.prompt.system_role.strip() for plugin in joined if plugin.prompt.system_role.strip()
    ]
    parts = [part for part in (request.system, *roles) if part]
    changes: dict[str, Any] = {"system": "\n\n".join(parts)} if roles else {}
    ignored: dict[str, tuple[str, ...]] = {}
    for plugin in joined:
        wished = {
            name: value for name in SETTINGS if (value := getattr(plugin.prompt, name)) is not None
        }
        refused = [
            name
            for name in wished
            if name in keep or name in changes or _foreign(name, plugin, request)
        ]
        changes |= {name: value for name, value in wished.items() if name not in refused}
        if clashing := tuple(
            name for name in refused if wished[name] != changes.get(name, getattr(request, name))
        ):
            ignored[plugin.name] = clashing
    return Joined(request.model_copy(update=changes), ignored)


def text_of(message: BaseMessage) -> str:
    """The text of a message, whether its content is a text or a list of blocks.

    >>> text_of(HumanMessage([{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "x"}}, "b"]))
    'a b'
    """
    if isinstance(message.content, str):
        return message.content
    texts = (
        block if isinstance(block, str) else block.get("text", "") for block in message.content
    )
    return " ".join(text for text in texts if isinstance(text, str) and text)


def _texts(messages: Sequence[BaseMessage]) -> list[SearchedText]:
    """What the user wrote: the last message, then all earlier ones together, the newest first."""
    spoken = (message for message in reversed(messages) if isinstance(message, HumanMessage))
    said = map(text_of, islice(spoken, MAX_MESSAGES))
    last = next(said, None)
    return [] if last is None else [SearchedText(last), SearchedText(" \n ".join(said))]


def _first_term(plugin: Plugin, texts: Iterable[SearchedText]) -> str | None:
    found = (find_term(plugin.selector.search_terms, text) for text in texts)
    return next((term for term in found if term is not None), None)


def _foreign(name: str, plugin: Plugin, request: ChatRequest) -> bool:
    return (
        name == "model"
        and plugin.prompt.provider is not None
        and plugin.prompt.provider != request.vendor
    )
