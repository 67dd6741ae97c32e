"""Decides which plugins join a turn and what they add to its requests. Pure functions."""

from collections.abc import Collection, Iterable, Sequence
from itertools import islice
from typing import Any, Final, NamedTuple

from langchain_core.messages import BaseMessage, HumanMessage

from turngraph.state.base import Frozen
from turngraph.state.request import ChatRequest
from turngraph.tools.plugin import Plugin
from turngraph.tools.terms import SearchableText, find_term
from turngraph.tools.toolbox import Toolbox

__all__ = [
    "JoinedRequest",
    "PluginMatch",
    "join_request",
    "message_text",
    "offered_tools",
    "select_plugins",
]

MAX_MESSAGES: Final = 100
"""User messages that are searched for terms, the newest first."""
SETTINGS: Final = ("model", "temperature", "max_tokens")
"""The fields of a plugin's prompt that change the request."""


class PluginMatch(Frozen):
    """A plugin that joins a turn, and the reason. Plain data for the state and for events."""

    plugin: str
    directive: str
    term: str | None = None
    """The search term that was found."""


class JoinedRequest(NamedTuple):
    """A request with the settings of the plugins in it.

    `ignored` names, by plugin, the settings that were not used because something set them before.
    """

    request: ChatRequest
    ignored: dict[str, tuple[str, ...]]


def select_plugins(
    plugins: Iterable[Plugin], messages: Sequence[BaseMessage]
) -> tuple[PluginMatch, ...]:
    """Returns the plugins that join this turn, in the order of `plugins`.

    A plugin with `search_terms` joins if a term occurs in a message of the user; the last message
    is searched first. A plugin with `llm` always joins with its tool, and with its prompt once the
    model has called it.
    """
    texts: list[SearchableText] | None = None
    selected = []
    for plugin in plugins:
        directive, term = plugin.selector.directive, None
        if directive == "search_terms":
            # Splitting a long thread is slow, so it waits for the first plugin that needs it.
            texts = _user_texts(messages) if texts is None else texts
            term = _first_term(plugin, texts)
            if term is None:
                continue
        selected.append(PluginMatch(plugin=plugin.name, directive=directive, term=term))
    return tuple(selected)


def offered_tools(
    toolbox: Toolbox, plugins: Iterable[Plugin], selected: Iterable[PluginMatch]
) -> Toolbox:
    """Returns the tools of this turn: all of `toolbox` except plugins that did not join.

    Its `specs` go into the request, and calls are checked against it, so the model cannot call a
    plugin that did not join.
    """
    absent = {plugin.name for plugin in plugins} - {choice.plugin for choice in selected}
    return toolbox if not absent else toolbox.only({spec.name for spec in toolbox.specs} - absent)


def join_request(
    request: ChatRequest,
    plugins: Iterable[Plugin],
    selected: Iterable[PluginMatch],
    *,
    called: Collection[str] = (),
    keep: Collection[str] = (),
) -> JoinedRequest:
    """Returns `request` with the system roles and model settings of the plugins that joined.

    A plugin with the directive `llm` counts only if this turn `called` it. If two plugins set the
    same field, the first one wins. The fields in `keep` were set by the caller and do not change. A
    model that belongs to another vendor than the request's is ignored.

    Pass the request as the turn began, not one that was joined before, which would contain the
    roles twice.
    """
    joining = {
        choice.plugin for choice in selected if choice.directive != "llm" or choice.plugin in called
    }
    joined = [plugin for plugin in plugins if plugin.name in joining]
    changes: dict[str, Any] = _system_change(request, joined)
    ignored: dict[str, tuple[str, ...]] = {}
    for plugin in joined:
        wanted = {
            name: value for name in SETTINGS if (value := getattr(plugin.prompt, name)) is not None
        }
        refused = [
            name
            for name in wanted
            if name in keep or name in changes or _is_foreign_model(name, plugin, request)
        ]
        changes |= {name: value for name, value in wanted.items() if name not in refused}
        # A setting that was refused but is in force anyway is nothing to warn about.
        if clashing := tuple(
            name for name in refused if wanted[name] != changes.get(name, getattr(request, name))
        ):
            ignored[plugin.name] = clashing
    return JoinedRequest(request.model_copy(update=changes), ignored)


def message_text(message: BaseMessage) -> str:
    """Returns the text of a message, whether its content is text or a list of blocks.

    >>> message_text(HumanMessage([{"type": "text", "text": "a"}, {"type": "image"}, "b"]))
    'a b'
    """
    if isinstance(message.content, str):
        return message.content
    texts = (
        block if isinstance(block, str) else block.get("text", "") for block in message.content
    )
    return " ".join(text for text in texts if isinstance(text, str) and text)


def _system_change(request: ChatRequest, joined: Iterable[Plugin]) -> dict[str, str]:
    """Returns the new system message of `request`, if a plugin has a role to append."""
    roles = [role for plugin in joined if (role := plugin.prompt.system_role.strip())]
    parts = [part for part in (request.system, *roles) if part]
    return {"system": "\n\n".join(parts)} if roles else {}


def _user_texts(messages: Sequence[BaseMessage]) -> list[SearchableText]:
    """Returns the last message of the user, and all earlier ones joined, the newest first."""
    from_user = (message for message in reversed(messages) if isinstance(message, HumanMessage))
    texts = map(message_text, islice(from_user, MAX_MESSAGES))
    last = next(texts, None)
    return [] if last is None else [SearchableText(last), SearchableText(" \n ".join(texts))]


def _first_term(plugin: Plugin, texts: Iterable[SearchableText]) -> str | None:
    matches = (find_term(plugin.selector.search_terms, text) for text in texts)
    return next((term for term in matches if term is not None), None)


def _is_foreign_model(name: str, plugin: Plugin, request: ChatRequest) -> bool:
    """Whether the setting `name` is a model of another vendor than the request's."""
    return (
        name == "model"
        and plugin.prompt.provider is not None
        and plugin.prompt.provider != request.vendor
    )
