"""Not a turn: two requests through turngraph's provider, as plain JSON, and their answers read.

No turn of turngraph goes below this.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pydantic import SecretStr

from benchmarks.contenders.hand_loop import SYSTEM_MESSAGE, TOOLS
from benchmarks.setting import KEY, MODEL, QUESTION, Ask, Setting, conversation_of
from turngraph.providers import OpenAIProvider, ProviderConfig

__all__ = ["contender"]


@asynccontextmanager
async def contender(setting: Setting) -> AsyncIterator[Ask]:
    """The provider alone."""
    key = SecretStr(KEY)
    provider = OpenAIProvider(
        ProviderConfig(vendor="openai", model=MODEL, base_url=setting.base_url, api_key=key)
    )
    first = [SYSTEM_MESSAGE, {"role": "user", "content": QUESTION}]
    second = [SYSTEM_MESSAGE, *conversation_of(1)[:-1]]

    async def ask() -> str:
        await provider.asend({"model": MODEL, "messages": first, "tools": TOOLS})
        answer = await provider.asend({"model": MODEL, "messages": second, "tools": TOOLS})
        return answer.text

    yield ask
    await provider.aclose()
