"""Plugins and the request: which ones a turn offers, and what they add to the request.

A plugin's system role is added to the requests of this turn only. The thread's messages never hold
it, so it cannot pile up turn after turn.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple

from langchain_core.messages import AnyMessage

from turngraph.nodes.support.dependencies import TurnDependencies
from turngraph.nodes.support.stage_context import StageContext
from turngraph.state.errors import TurnValueError
from turngraph.state.events import PluginSelected
from turngraph.state.request import ChatRequest
from turngraph.state.turn import SelectedPlugin, TurnSettings
from turngraph.tools.selection import PluginMatch, join_request, select_plugins

__all__ = ["PluginSelection", "announce_plugins", "join_called_plugins", "select_for_turn"]

_MODEL_SETTINGS: Final = ("model", "temperature", "max_tokens")
"""What a plugin may set in a request, unless the caller or an earlier plugin has set it."""


class PluginSelection(NamedTuple):
    """The plugins of a turn, and the request they joined."""

    request: ChatRequest
    plugins: list[SelectedPlugin]
    ignored: Mapping[str, tuple[str, ...]]
    """By plugin: its model settings that did not count, because they were set already."""


def select_for_turn(
    request: ChatRequest,
    messages: Sequence[AnyMessage],
    settings: TurnSettings,
    deps: TurnDependencies,
) -> PluginSelection:
    """Selects the plugins of a turn and joins them to `request`, which then offers their tools too.

    A plugin that the model must call first is offered as a tool, and joins later. Model settings
    that the caller gave in `settings` stay as they are. Raises TurnValueError if `settings.tools`
    names a tool that the graph was not built with, or a tool of the caller has the name of another.
    """
    wanted = settings.tools
    _check_names(wanted, deps)
    by_caller = _caller_tool_names(settings, deps)
    if not deps.plugins and wanted is None:
        return PluginSelection(request, [], {})
    considered = [plugin for plugin in deps.plugins if wanted is None or plugin.name in wanted]
    selected = select_plugins(considered, messages)
    unselected = {plugin.name for plugin in deps.plugins} - {one.plugin for one in selected}
    offered = tuple(
        spec
        for spec in request.tools
        if spec.name in by_caller
        or (spec.name not in unselected and (wanted is None or spec.name in wanted))
    )
    set_by_caller = {name for name in _MODEL_SETTINGS if getattr(settings, name) is not None}
    joined = join_request(
        request.model_copy(update={"tools": offered}), considered, selected, keep=set_by_caller
    )
    plugins = [
        SelectedPlugin(
            name=one.plugin, directive=one.directive, term=one.term, joined=one.directive != "llm"
        )
        for one in selected
    ]
    return PluginSelection(joined.request, plugins, joined.ignored)


def join_called_plugins(
    request: ChatRequest,
    plugins: Sequence[SelectedPlugin],
    called: Collection[str],
    deps: TurnDependencies,
) -> tuple[ChatRequest, list[SelectedPlugin]]:
    """Joins the plugins that the model has `called` to `request`, each of them once."""
    joining = [plugin for plugin in plugins if not plugin.joined and plugin.name in called]
    if not joining:
        return request, list(plugins)
    selected = [
        PluginMatch(plugin=plugin.name, directive=plugin.directive, term=plugin.term)
        for plugin in joining
    ]
    # A setting that differs from the template was set by the caller or by an earlier plugin.
    already_set = {
        name for name in _MODEL_SETTINGS if getattr(request, name) != getattr(deps.template, name)
    }
    joined = join_request(request, deps.plugins, selected, called=called, keep=already_set)
    return joined.request, [
        plugin.model_copy(update={"joined": True}) if plugin in joining else plugin
        for plugin in plugins
    ]


def announce_plugins(selection: PluginSelection, turn_id: str, context: StageContext) -> None:
    """Emits one event for each selected plugin: why it was selected, and what of it is ignored."""
    for plugin in selection.plugins:
        context.emit(
            PluginSelected(
                turn_id=turn_id,
                plugin=plugin.name,
                directive=plugin.directive,
                term=plugin.term,
                ignored=selection.ignored.get(plugin.name, ()),
            )
        )


def _caller_tool_names(settings: TurnSettings, deps: TurnDependencies) -> set[str]:
    names: set[str] = set()
    for spec in settings.caller_tools:
        if spec.name in names or spec.name in deps.toolbox:
            raise TurnValueError(
                f"Two tools are named `{spec.name}`: a tool that the caller runs needs a name that "
                "no other tool of the turn has."
            )
        names.add(spec.name)
    return names


def _check_names(wanted: Collection[str] | None, deps: TurnDependencies) -> None:
    unknown = sorted(name for name in wanted or () if name not in deps.toolbox)
    if unknown:
        bound = ", ".join(f"`{tool.name}`" for tool in deps.toolbox) or "none"
        raise TurnValueError(
            f"`settings.tools` names `{unknown[0]}`, which this turn was not built with. "
            f"Built: {bound}."
        )
