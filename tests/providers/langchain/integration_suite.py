"""LangChain's integration suite for chat models: what is the same for every model it is run on.

The pictures, sounds and documents that the suite downloads are handed in instead.
"""

import base64
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_tests.integration_tests import ChatModelIntegrationTests

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


class IntegrationSuite(ChatModelIntegrationTests):
    """All that OpenAI's models can. `responses` is whether the Responses API is asked."""

    responses: ClassVar[bool]

    @pytest.fixture(autouse=True)
    def _downloads(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("httpx.get", _file_at)
        monkeypatch.setenv("LANGCHAIN_TESTS_USER_AGENT", "turngraph")

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
