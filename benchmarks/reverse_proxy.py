"""A stub with fixed answers, and the barest proxy in front of it, on aiohttp: python -m
benchmarks.reverse_proxy PORT [STUB]. Without STUB it is the stub.
"""

import json
import sys
from typing import Any, Final

import aiohttp
from aiohttp import web

WORDS: Final = 8
HEAD: Final[dict[str, Any]] = {"id": "chatcmpl-1", "created": 1, "model": "m"}
USAGE: Final = {"prompt_tokens": 12, "completion_tokens": 8, "total_tokens": 20}


def whole() -> dict[str, Any]:
    """The answer as one object."""
    message = {"role": "assistant", "content": "word " * WORDS}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return {**HEAD, "object": "chat.completion", "choices": [choice], "usage": USAGE}


def pieces() -> bytes:
    """The answer as a stream."""
    deltas: list[tuple[dict[str, str], str | None]] = [({"content": "word "}, None)] * WORDS
    chunks = [
        {
            **HEAD,
            "object": "chat.completion.chunk",
            "choices": [{"index": 0, "delta": delta, "finish_reason": end}],
        }
        for delta, end in [({"role": "assistant", "content": ""}, None), *deltas, ({}, "stop")]
    ]
    chunks.append({**HEAD, "object": "chat.completion.chunk", "choices": [], "usage": USAGE})
    lines = [*map(json.dumps, chunks), "[DONE]"]
    return "".join(f"data: {line}\n\n" for line in lines).encode()


WHOLE, PIECES = json.dumps(whole()).encode(), pieces()


async def answer(request: web.Request) -> web.Response:
    """The stub."""
    if (await request.json()).get("stream"):
        return web.Response(body=PIECES, content_type="text/event-stream")
    return web.Response(body=WHOLE, content_type="application/json")


async def forward(request: web.Request) -> web.StreamResponse:
    """The proxy: bytes in, bytes out."""
    session: aiohttp.ClientSession = request.app["session"]
    target = request.app["stub"] + request.path
    headers = {"Content-Type": "application/json"}
    async with session.post(target, data=await request.read(), headers=headers) as got:
        told = web.StreamResponse(status=got.status, headers={"Content-Type": got.content_type})
        await told.prepare(request)
        async for part in got.content.iter_any():
            await told.write(part)
        await told.write_eof()
    return told


async def app() -> web.Application:
    """The stub, or the proxy."""
    served = web.Application()
    served.router.add_post("/v1/chat/completions", answer if len(sys.argv) < 3 else forward)
    served["stub"] = sys.argv[2] if len(sys.argv) > 2 else ""
    served["session"] = aiohttp.ClientSession()
    return served


if __name__ == "__main__":
    web.run_app(app(), host="127.0.0.1", port=int(sys.argv[1]), print=None)
