"""LangChain's own suites for chat models, against the scripted model: both APIs, unit and
integration.

What is skipped, and why:

test                                 why
test_serdes                          the model is not serializable: its headers may hold keys
test_stream_time                     a benchmark on recorded traffic, which does not exist here
test_audio_inputs (on Responses)     it takes no sound: https://platform.openai.com/docs/guides/audio
"""

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_tests.unit_tests import ChatModelUnitTests

from tests.providers.langchain.integration_suite import KEY, IntegrationSuite
from turngraph.providers import TurngraphChatModel
from turngraph.scripted import ScriptedModel


class _Unit(ChatModelUnitTests):
    responses: ClassVar[bool]

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return TurngraphChatModel

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {
            "model": "gpt-4o-mini",
            "vendor": "openai",
            "api_key": KEY,
            "use_responses_api": self.responses,
        }

    @property
    def init_from_env_params(self) -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
        return {"GROQ_API_KEY": KEY}, {"model": "m", "vendor": "groq"}, {"openai_api_key": KEY}


class TestUnitOnChatCompletions(_Unit):
    responses = False


class TestUnitOnResponses(_Unit):
    responses = True


class _Integration(IntegrationSuite):
    scripted: ClassVar[ScriptedModel]

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def _served(cls) -> Iterator[None]:
        with ScriptedModel(cache_from=8) as model:
            cls.scripted = model
            yield
            paths = {request.path for request in model.requests}
            assert paths == {"/v1/responses" if cls.responses else "/v1/chat/completions"}

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return TurngraphChatModel

    @property
    def chat_model_params(self) -> dict[str, Any]:
        place = {"vendor": "openai", "base_url": self.scripted.base_url, "api_key": KEY}
        return {"model": "gpt-5-mini", "use_responses_api": self.responses, **place}

    @property
    def model_override_value(self) -> str:
        return "gpt-4o-mini"


class TestIntegrationOnChatCompletions(_Integration):
    responses = False


class TestIntegrationOnResponses(_Integration):
    responses = True
