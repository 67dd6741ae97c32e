"""What the notebooks ask: the scripted model, so that they run offline; a real one where a person
names it.
"""

import atexit
import os

from turngraph.providers.config import ProviderConfig
from turngraph.scripted import ScriptedModel
from turngraph.scripted.script import ScriptStep
from turngraph.state.request import Api

__all__ = ["lesson_model"]


def lesson_model(*steps: ScriptStep, api: Api = "chat") -> ProviderConfig:
    """A model that answers `steps`, under the name and at the prices of OpenAI's gpt-4o-mini.

    With `TURNGRAPH_MODEL=openai:gpt-5-mini` and that vendor's key in the environment, that model
    answers instead.

        >>> lesson_model().model
        'gpt-4o-mini'
    """
    named = os.environ.get("TURNGRAPH_MODEL")
    if named:
        return ProviderConfig.from_model_string(named, environ=os.environ, api=api)
    model = ScriptedModel(steps).start() if steps else ScriptedModel().start()
    atexit.register(model.close)
    return ProviderConfig(vendor="openai", model="gpt-4o-mini", base_url=model.base_url, api=api)
