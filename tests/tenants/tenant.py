"""A tenant of a server: a client that asks again until it has an answer."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import openai
from openai.types.chat import ChatCompletion

_PAUSE_S: Final = 0.1
_TOOL: Final[Any] = {
    "type": "function",
    "function": {"name": "lookup", "parameters": {"type": "object", "properties": {}}},
}


def secret_of(tenant: str) -> str:
    """What a tenant tells the model, and nobody else must ever see."""
    return f"{tenant}-planted-word"


@dataclass
class Tenant:
    """A client with retries of its own, which asks all processes in turn."""

    name: str
    key: str
    urls: list[str]
    answers: dict[str, set[str]] = field(default_factory=dict)
    tries: Counter[str] = field(default_factory=Counter)

    async def ask(self, number: int, chance: random.Random) -> None:
        """Asks one question, again and again until there is an answer, with one idempotency key."""
        key = f"turn-{number}"
        text = f"{number} {secret_of(self.name)}"
        body = {"messages": [{"role": "user", "content": text}]}
        whole = await self._until_answered(key, body, chance, stream=number % 2 == 1)
        self.answers.setdefault(key, set()).add(whole)
        # Once more, perhaps at the other process: the same answer, and no second charge.
        again = await self._until_answered(key, body, chance, stream=False)
        self.answers[key].add(again)

    async def use_tool(self, number: int) -> None:
        """A turn that stops for a tool of the client's, and goes on at another process."""
        text = f"{number} {secret_of(self.name)}"
        messages: list[Any] = [{"role": "user", "content": text}]
        first = await self._post(self.urls[0], None, messages=messages, tools=[_TOOL])
        asked = first.choices[0].message
        assert asked.tool_calls, asked
        assert secret_of(self.name) in asked.tool_calls[0].model_dump_json()
        result = {"role": "tool", "tool_call_id": asked.tool_calls[0].id, "content": f"done {text}"}
        messages += [asked.model_dump(exclude_none=True), result]
        second = await self._post(self.urls[-1], None, messages=messages, tools=[_TOOL])
        self.answers.setdefault(f"tool-{number}", set()).add(str(second.choices[0].message.content))

    async def _until_answered(
        self, key: str, body: dict[str, Any], chance: random.Random, *, stream: bool
    ) -> str:
        ends_at = time.monotonic() + 300
        while True:
            self.tries[key] += 1
            try:
                return await self._answer(chance.choice(self.urls), key, body, stream=stream)
            except (openai.APIConnectionError, openai.InternalServerError, openai.ConflictError):
                assert time.monotonic() < ends_at, f"{self.name} has no answer to {key}"
            except openai.APIError as exc:
                if isinstance(exc, openai.APIStatusError):
                    raise
                # Else an error within a stream, whose server is going down.
            await asyncio.sleep(_PAUSE_S)

    async def _answer(self, url: str, key: str, body: dict[str, Any], *, stream: bool) -> str:
        if not stream:
            done: ChatCompletion = await self._post(url, key, **body)
            return str(done.choices[0].message.content)
        async with self._client(url) as client:
            pieces = await client.chat.completions.create(
                model="echo", stream=True, extra_headers={"Idempotency-Key": key}, **body
            )
            text, finished = "", False
            async for piece in pieces:
                for choice in piece.choices:
                    text += choice.delta.content or ""
                    finished = finished or choice.finish_reason is not None
            if not finished:
                raise openai.APIConnectionError(request=pieces.response.request)
            return text

    async def _post(self, url: str, key: str | None, **body: Any) -> Any:
        headers = {} if key is None else {"Idempotency-Key": key}
        async with self._client(url) as client:
            return await client.chat.completions.create(model="echo", extra_headers=headers, **body)

    @asynccontextmanager
    async def _client(self, url: str) -> AsyncIterator[openai.AsyncOpenAI]:
        async with openai.AsyncOpenAI(
            base_url=f"{url}/v1", api_key=self.key, max_retries=0, timeout=30
        ) as client:
            yield client
