"""A turn as a manifest describes it, its plugins selected, called and told, all the way through the
graph.
"""

from typing import Any

import pytest

from tests.paths import GALLERY
from turngraph.graphs.chat import chat_turn
from turngraph.graphs.from_manifest import client_config
from turngraph.providers.config import ProviderConfig
from turngraph.scripted import Call, Say, ScriptedModel
from turngraph.state.errors import TurnConfigurationError
from turngraph.state.events import PluginSelected
from turngraph.tools.manifests.loading import load_manifests
from turngraph.tools.manifests.secrets import Secrets


def client(config: str, more: str = "") -> Any:
    head = "apiVersion: turngraph/v1\nkind: LLMClient\nmetadata: {name: c}\nspec:\n"
    text = f"{head}  config: {{{config}}}\n{more}"
    return load_manifests(text, secrets=Secrets(environ={"K": "key-9"}))


def test_a_client_may_name_a_vendor_of_the_table() -> None:
    """Zero is a wish; what is not said stays unsaid."""
    found = client("provider: openai, default_model: gpt-5-mini, default_temperature: 0")
    config = client_config(found, "c", environ={"OPENAI_API_KEY": "sk-x"})
    assert (config.vendor, config.model, config.temperature, config.max_tokens) == (
        "openai",
        "gpt-5-mini",
        0,
        None,
    )


def test_a_client_may_name_a_provider_manifest() -> None:
    """Address, model and key are its own; the key comes from its reference."""
    provider = (
        "---\napiVersion: turngraph/v1\nkind: Provider\nmetadata: {name: own}\nspec:\n"
        '  provider: {name: own, base_url: "http://127.0.0.1:1/v1", api_key: "env:K", '
        "default_model: m}\n"
    )
    config = client_config(client("provider: own", provider), "c", environ={})
    assert (config.base_url, config.model) == ("http://127.0.0.1:1/v1", "m")
    assert config.api_key is not None
    assert config.api_key.get_secret_value() == "key-9"
    assert "key-9" not in repr(config)


def test_a_client_without_a_model_is_told() -> None:
    """Before anything is sent."""
    with pytest.raises(TurnConfigurationError, match="`c` names no model"):
        client_config(client("provider: openai"), "c", environ={"OPENAI_API_KEY": "x"})
    with pytest.raises(TurnConfigurationError, match="No LLMClient is named `d`"):
        client_config(client("provider: openai"), "d", environ={})


async def test_a_turn_with_the_gallery_asks_its_database() -> None:
    """Selected by a term, offered, called with arguments, answered from real rows; its role in this
    request only.
    """
    gallery = load_manifests(GALLERY)
    events: list[Any] = []
    with ScriptedModel(
        [Call(("planets", {"kind": "gas giant"})), Say("Jupiter and Saturn.")]
    ) as model:
        config = ProviderConfig(
            model="scripted", base_url=model.base_url, default_system_role="Be brief."
        )
        turn = chat_turn(config, plugins=gallery, on_event=events.append)
        out = await turn.ainvoke({"messages": [("user", "Which planets are gas giants?")]})
        first = model.requests[0].body
    gallery.close()
    assert out["result"].answer == "Jupiter and Saturn."
    assert '"name":"Saturn"' in out["result"].tool_runs[0].content
    assert {tool["function"]["name"] for tool in first["tools"]} == {"planets", "moons"}
    assert first["messages"][0]["content"] == "Be brief.\n\nName the unit of every figure."
    assert [message.type for message in out["messages"]] == ["human", "ai", "tool", "ai"]
    selected = [event for event in events if isinstance(event, PluginSelected)]
    assert {(event.plugin, event.term) for event in selected} >= {("planets", "planet")}
