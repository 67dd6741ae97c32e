"""Plugins and the request: which are offered in this turn, and what they bring along when they
join.

A plugin's system role joins the request of this turn only; the thread's messages never hold it, so
that it cannot pile up turn after turn.
"""

from collections.abc import Collection, Sequence

from langchain_core.messages import AnyMessage

from turngraph.nodes.support.dependencies import TurnDeps
from turngraph.nodes.support.stage_context import StageContext
from turngraph.state.errors import TurnValueError
from turngraph.state.events import PluginSelected
from turngraph.state.request import ChatRequest
from turngraph.state.turn import SelectedPlugin, TurnSettings
from turngraph.tools.selection import PluginMatch, join_request, select_plugins

__all__ = ["begin", "join_called", "tell"]

_SETTINGS = ("model", "temperature", "max_tokens")


def begin(
    request: ChatRequest,
    messages: Sequence[AnyMessage],
    settings: TurnSettings,
    deps: TurnDeps,
) -> tuple[ChatRequest, list[SelectedPlugin], dict[str, tuple[str, ...]]]:
    """`request` with the tools on offer and the plugins that join at once; those plugins; and what
    was ignored of them.

    What the caller set in `settings` stays as it is. Raises TurnValueError where `settings.tools`
    names what is not bound.
    """
    wanted = settings.tools
    _check_names(wanted, deps)
    considered = [plugin for plugin in deps.plugins if wanted is None or plugin.name in wanted]
    found = select_plugins(considered, messages)
    absent = {plugin.name for plugin in deps.plugins} - {one.plugin for one in found}
    offered = tuple(
        spec
        for spec in request.tools
        if spec.name not in absent and (wanted is None or spec.name in wanted)
    )
    by_caller = {name for name in _SETTINGS if getattr(settings, name) is not None}
    joined = join_request(
        request.model_copy(update={"tools": offered}), considered, found, keep=by_caller
    )
    selected = [
        SelectedPlugin(
            name=one.plugin, directive=one.directive, term=one.term, joined=one.directive != "llm"
        )
        for one in found
    ]
    return joined.request, selected, joined.ignored


def join_called(
    request: ChatRequest,
    selected: Sequence[SelectedPlugin],
    called: Collection[str],
    deps: TurnDeps,
) -> tuple[ChatRequest, list[SelectedPlugin]]:
    """`request` with the prompts of the plugins the model has called meanwhile, each joined once."""
    joining = [one for one in selected if not one.joined and one.name in called]
    if not joining:
        return request, list(selected)
    as_found = [
        PluginMatch(plugin=one.name, directive=one.directive, term=one.term) for one in joining
    ]
    taken = {name for name in _SETTINGS if getattr(request, name) != getattr(deps.template, name)}
    joined = join_request(request, deps.plugins, as_found, called=called, keep=taken)
    return joined.request, [
        one.model_copy(update={"joined": True}) if one in joining else one for one in selected
    ]


def tell(
    selected: Sequence[SelectedPlugin],
    ignored: dict[str, tuple[str, ...]],
    turn_id: str,
    here: StageContext,
) -> None:
    """One event for each plugin that joins, with the term that chose it and what of it was ignored."""
    for one in selected:
        here.emit(
            PluginSelected(
                turn_id=turn_id,
                plugin=one.name,
                directive=one.directive,
                term=one.term,
                ignored=ignored.get(one.name, ()),
            )
        )


def _check_names(wanted: Collection[str] | None, deps: TurnDeps) -> None:
    unknown = sorted(name for name in wanted or () if name not in deps.toolbox)
    if unknown:
        bound = ", ".join(f"`{tool.name}`" for tool in deps.toolbox) or "none"
        raise TurnValueError(
            f"`settings.tools` names `{unknown[0]}`, which this turn was not built with. Built: {bound}."
        )
