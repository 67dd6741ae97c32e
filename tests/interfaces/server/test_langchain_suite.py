"""LangChain's own integration suite for chat models, with `ChatOpenAI` asking the server, over both
APIs: what LangChain's users rely on holds for a turn that is served.

What is skipped, and why:

test                                 why
test_stream_time                     a benchmark on recorded traffic, which does not exist here
test_audio_inputs (on Responses)     it takes no sound: https://platform.openai.com/docs/guides/audio

Three warnings of `ChatOpenAI` itself are expected: where the suite gives it a file without a name,
or a schema of pydantic 1, and where it writes a parsed answer that it has typed as none. By itself
it asks for the usage of a stream at OpenAI's own address alone, so `stream_usage` is set.
"""

from collections.abc import AsyncIterator, Iterator
from typing import Any, ClassVar

import openai
import pytest
from langchain_core.language_models import BaseChatModel
from langchain_openai import ChatOpenAI

from tests.interfaces.server.serving import config_of, model_config, serving
from tests.providers.langchain.integration_suite import IntegrationSuite
from turngraph.scripted import ScriptedModel


@pytest.mark.filterwarnings("ignore:OpenAI may require a filename for file uploads")
@pytest.mark.filterwarnings("ignore:Received a Pydantic BaseModel V1 schema")
@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
class _Integration(IntegrationSuite):
    url: ClassVar[str]
    clients: dict[str, Any]

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def _served(cls) -> Iterator[None]:
        with ScriptedModel(cache_from=8) as vendor:
            models = {name: model_config(vendor) for name in ("assistant", "other")}
            with serving(config_of(models)) as cls.url:
                yield

    @pytest.fixture(autouse=True)
    async def _connected(self) -> AsyncIterator[None]:
        """Closes the connections of a test. Those that LangChain shares are never closed."""
        with openai.DefaultHttpxClient() as now:
            async with openai.DefaultAsyncHttpxClient() as later:
                self.clients = {"http_client": now, "http_async_client": later}
                yield

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatOpenAI

    @property
    def chat_model_params(self) -> dict[str, Any]:
        place = {"base_url": f"{self.url}/v1", "api_key": "acme", **self.clients}
        asked = {"use_responses_api": self.responses, "stream_usage": True}
        return {"model": "assistant", **asked, **place}

    @property
    def model_override_value(self) -> str:
        return "other"


class TestOnChatCompletions(_Integration):
    responses = False


class TestOnResponses(_Integration):
    responses = True
