"""LangChain's own suites for chat models, against the scripted model: both APIs, unit and
integration.

The pictures, sounds and documents that the suites download are handed in instead. What is skipped,
and why:

test                                 why
test_serdes                          the model is not serializable: its headers may hold keys
test_stream_time                     a benchmark on recorded traffic, which does not exist here
test_audio_inputs (on Responses)     it takes no sound: https://platform.openai.com/docs/guides/audio
"""

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.unit_tests import ChatModelUnitTests

from turngraph.providers import TurngraphChatModel
from turngraph.scripted import ScriptedModel

KEY = "sk-planted-suite"
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
FILES = {".png": PNG, ".pdf": b"%PDF-1.4\n%%EOF\n", ".wav": b"RIFF$\x00\x00\x00WAVEfmt "}


@dataclass(frozen=True)
class _Downloaded:
    content: bytes


def _file_at(url: str, **options: Any) -> _Downloaded:
    return _Downloaded(FILES[url[-4:]])


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


class _Integration(ChatModelIntegrationTests):
    responses: ClassVar[bool]
    scripted: ClassVar[ScriptedModel]

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def _served(cls) -> Iterator[None]:
        with ScriptedModel(cache_from=8) as model:
            cls.scripted = model
            yield
            paths = {request.path for request in model.requests}
            assert paths == {"/v1/responses" if cls.responses else "/v1/chat/completions"}

    @pytest.fixture(autouse=True)
    def _downloads(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("httpx.get", _file_at)
        monkeypatch.setenv("LANGCHAIN_TESTS_USER_AGENT", "turngraph")

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

    @property
    def supports_json_mode(self) -> bool:
        return True

    @property
    def supports_image_inputs(self) -> bool:
        return True

    @property
    def supports_image_urls(self) -> bool:
        return True

    @property
    def supports_pdf_inputs(self) -> bool:
        return True

    @property
    def supports_audio_inputs(self) -> bool:
        return not self.responses

    @property
    def supports_image_tool_message(self) -> bool:
        return True

    @property
    def supports_pdf_tool_message(self) -> bool:
        return True

    @property
    def supports_anthropic_inputs(self) -> bool:
        return True

    @property
    def supported_usage_metadata_details(self) -> Any:
        details = ["reasoning_output", "cache_read_input"]
        return {"invoke": details, "stream": details}

    def invoke_with_reasoning_output(self, *, stream: bool = False) -> AIMessage:
        model = self.chat_model_class(**self.chat_model_params, reasoning_effort="low")
        return _asked(model, "What is 6 times 7?", stream=stream)

    def invoke_with_cache_read_input(self, *, stream: bool = False) -> AIMessage:
        model = self.chat_model_class(**self.chat_model_params)
        question = "What is 6 times 7? Please think of it as a multiplication of two small numbers."
        _asked(model, question, stream=stream)
        return _asked(model, question, stream=stream)


def _asked(model: BaseChatModel, question: str, *, stream: bool) -> AIMessage:
    if not stream:
        return model.invoke(question)
    first, *rest = model.stream(question)
    return sum(rest, first)


class TestIntegrationOnChatCompletions(_Integration):
    responses = False


class TestIntegrationOnResponses(_Integration):
    responses = True
