"""A client that sends each request, with an idempotency key, until it has the answer."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

import openai

_PAUSE_S: Final = 0.1
_PATIENCE_S: Final = 300.0
_TOOL: Final[dict[str, Any]] = {
    "name": "lookup",
    "parameters": {"type": "object", "properties": {}},
}
_CHAT_TOOLS: Final[Any] = [{"type": "function", "function": _TOOL}]
_TOOLS: Final[Any] = [{"type": "function", "strict": False, **_TOOL}]
_AGAIN: Final = (openai.APIConnectionError, openai.InternalServerError, openai.ConflictError)
KINDS: Final = (
    "chat",
    "chat_stream",
    "chat_tool",
    "response",
    "response_stream",
    "response_tool",
    "background",
)
"""What is asked in turn. Those with a tool have two requests, each with a key."""


@dataclass
class Client:
    """Asks one server, and notes all answers that it has got."""

    openai: openai.AsyncOpenAI
    answers: dict[str, set[str]] = field(default_factory=dict)
    tries: Counter[str] = field(default_factory=Counter)

    async def ask(self, number: int) -> None:
        """Asks one question, and then once more as if the answer had not come."""
        kind = KINDS[number % len(KINDS)]
        work: Callable[[str, str], Awaitable[str]] = getattr(self, f"_{kind}")
        name = f"{kind}-{number}"
        for _ in range(2):
            self.answers.setdefault(name, set()).add(await work(name, f"question {number}"))

    async def _chat(self, key: str, text: str) -> str:
        done = await self._until(key, self._chat_once, messages=_user(text))
        return str(done.choices[0].message.content)

    async def _chat_stream(self, key: str, text: str) -> str:
        return str(await self._until(key, self._stream_once, messages=_user(text)))

    async def _chat_tool(self, key: str, text: str) -> str:
        begin = _user(text)
        first = await self._until(f"{key}-1", self._chat_once, messages=begin, tools=_CHAT_TOOLS)
        asked = first.choices[0].message
        result = {"role": "tool", "tool_call_id": asked.tool_calls[0].id, "content": text}
        messages = [*begin, asked.model_dump(exclude_none=True), result]
        second = await self._until(
            f"{key}-2", self._chat_once, messages=messages, tools=_CHAT_TOOLS
        )
        return str(second.choices[0].message.content)

    async def _response(self, key: str, text: str) -> str:
        return str((await self._until(key, self._response_once, input=text)).output_text)

    async def _response_stream(self, key: str, text: str) -> str:
        done = await self._until(key, self._response_stream_once, input=text)
        return str(done.output_text)

    async def _response_tool(self, key: str, text: str) -> str:
        first = await self._until(f"{key}-1", self._response_once, input=text, tools=_TOOLS)
        call = first.output[-1].call_id
        result = {"type": "function_call_output", "call_id": call, "output": text}
        second = await self._until(
            f"{key}-2",
            self._response_once,
            input=[result],
            previous_response_id=first.id,
            tools=_TOOLS,
        )
        return str(second.output_text)

    async def _background(self, key: str, text: str) -> str:
        made = await self._until(key, self._response_once, input=text, background=True)

        async def ended(_: str, **given: Any) -> Any:
            found = await self.openai.responses.retrieve(made.id)
            return found if found.status not in ("queued", "in_progress") else None

        return str((await self._until(key, ended)).output_text)

    async def _chat_once(self, key: str, **body: Any) -> Any:
        return await self.openai.chat.completions.create(
            model="echo", extra_headers={"Idempotency-Key": key}, **body
        )

    async def _response_once(self, key: str, **body: Any) -> Any:
        return await self.openai.responses.create(
            model="echo", extra_headers={"Idempotency-Key": key}, **body
        )

    async def _stream_once(self, key: str, **body: Any) -> str | None:
        pieces = await self._chat_once(key, stream=True, **body)
        text, is_whole = "", False
        async for piece in pieces:
            for choice in piece.choices:
                text += choice.delta.content or ""
                is_whole = is_whole or choice.finish_reason is not None
        return text if is_whole else None

    async def _response_stream_once(self, key: str, **body: Any) -> Any:
        events = await self._response_once(key, stream=True, **body)
        whole = None
        async for event in events:
            if event.type == "response.completed":
                whole = event.response
        return whole

    async def _until(self, key: str, ask: Callable[..., Awaitable[Any]], **body: Any) -> Any:
        """What `ask` returns, once that is not None."""
        ends_at = time.monotonic() + _PATIENCE_S
        while True:
            self.tries[key] += 1
            try:
                if (answer := await ask(key, **body)) is not None:
                    return answer
            except _AGAIN as exc:
                said = getattr(exc, "response", None)
                if said is not None and "idempotent-replayed" in said.headers:
                    raise  # it would be the same for ever
            except openai.APIError as exc:
                if isinstance(exc, openai.APIStatusError):
                    raise
                # Else an error within a stream, whose server is going down.
            except Exception as exc:
                if "httpx" not in type(exc).__module__:
                    raise
                # A stream that breaks off, of which OpenAI's client says nothing of its own.
            assert time.monotonic() < ends_at, f"{key} has no answer"
            await asyncio.sleep(_PAUSE_S)


def _user(text: str) -> list[Any]:
    return [{"role": "user", "content": text}]
