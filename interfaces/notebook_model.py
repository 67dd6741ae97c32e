"""The model that the notebooks ask: the scripted one, so that they run offline, or a real one."""

import atexit
import os

from turngraph.providers.config import ProviderConfig
from turngraph.scripted import ScriptedModel
from turngraph.scripted.script import ScriptStep
from turngraph.state.request import Api

__all__ = ["notebook_model"]


def notebook_model(*steps: ScriptStep, api: Api = "chat") -> ProviderConfig:
    """Returns the configuration of a model that answers with `steps`.

    It has the name and the prices of OpenAI's gpt-4o-mini, and serves until the process ends. Where
    the environment names a model, as in `TURNGRAPH_MODEL=openai:gpt-5-mini`, and has its vendor's
    key, that model answers instead of the script.

        >>> notebook_model().model
        'gpt-4o-mini'
    """
    named = os.environ.get("TURNGRAPH_MODEL")
    if named:
        return ProviderConfig.from_model_string(named, environ=os.environ, api=api)
    model = ScriptedModel(steps).start()
    atexit.register(model.close)
    return ProviderConfig(
        vendor="openai", model="gpt-4o-mini", base_url=model.base_url, api=api, proxy=""
    )
