"""The scripted model: an OpenAI-compatible server on a loopback socket, with a mind of its own or a
script.
"""

import asyncio
import re
import secrets
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from turngraph.scripted.chat.storage import CompletionMemory
from turngraph.scripted.checks import RequestError
from turngraph.scripted.envelope import Envelope
from turngraph.scripted.exchange import ChatExchange, Exchange, ResponsesExchange, Written
from turngraph.scripted.loopback import LoopbackServer
from turngraph.scripted.prompt import Answer, Prompt
from turngraph.scripted.received import ReceivedRequest
from turngraph.scripted.request_guard import check_key, parsed
from turngraph.scripted.responder import default_responder
from turngraph.scripted.responder.token_counter import PromptCache, capped, metered
from turngraph.scripted.responses.storage import ResponseMemory
from turngraph.scripted.script import Cut, Fail, Hang, Raw, ScriptStep, Step
from turngraph.scripted.sending import send_cut, send_events, send_failure, send_json, send_raw

if TYPE_CHECKING:
    from aiohttp import web

__all__ = ["ScriptedModel"]

MODEL: Final[Mapping[str, Any]] = {
    "id": "scripted",
    "object": "model",
    "created": 0,
    "owned_by": "turngraph",
}
REQUESTS_KEPT: Final = 10_000
BASE: Final = re.compile(r"/(?:openai/)?(?:v1|deployments/[^/]+)/")
"""What stands before `chat/completions`: OpenAI's base path, or Azure's."""


class ScriptedModel(LoopbackServer):
    """Chat Completions and Responses at `base_url`, as JSON and as streams, without a key and
    without a network.

    script: what happens at each request, one step after another: `Say`, `Call`, `Refuse`, `Fail`,
        `Hang`, `Cut`, `Raw`, or a function of the request that gives one. A request the vendor
        would refuse takes no step.
    strict: refuse requests once the script is over, instead of letting the mind answer. think:
    answers what no script does; `turngraph.scripted.responder.default_responder.answer` calls the
    tools that fit. pieces: in how many pieces a stream sends each text; None is one for each word.
    delay_s: seconds between two events of a stream. api_key: the key that must be sent; None takes
    any, or none. accepts: members of a request that are taken although OpenAI's API does not know
    them. cache_from: tokens of a prompt from which on one seen before is counted as cached. name:
    what ids are made of; by default no two models give the same ids. clock: seconds since 1970.

        >>> import json, urllib.request
        >>> from turngraph.scripted.script import Say
        >>> with ScriptedModel([Say("Hello!")]) as model:
        ...     body = {"model": "any", "messages": [{"role": "user", "content": "Hi"}]}
        ...     asked = urllib.request.Request(model.base_url + "/chat/completions", json.dumps(body).encode())
        ...     with urllib.request.urlopen(asked) as answer:
        ...         json.load(answer)["choices"][0]["message"]["content"]
        'Hello!'
        >>> model.requests[0].body["messages"][0]["content"]
        'Hi'
    """

    def __init__(
        self,
        script: Sequence[ScriptStep] = (),
        *,
        strict: bool = False,
        think: Callable[[Prompt], Answer] = default_responder.answer,
        pieces: int | None = None,
        delay_s: float = 0.0,
        api_key: str | None = None,
        accepts: Collection[str] = (),
        cache_from: int = 1024,
        name: str | None = None,
        clock: Callable[[], float] = time.time,
        port: int = 0,
    ) -> None:
        super().__init__(self._serve_one, port=port)
        self._script, self._strict, self._think = deque(script), strict, think
        for step in self._script:
            if not isinstance(step, Step) and not callable(step):
                raise TypeError(
                    f"A script is made of Say, Call, Refuse, Fail, Hang, Cut, Raw, not {type(step).__name__}."
                )
        self._pieces, self._delay_s = pieces, delay_s
        self._api_key, self._accepts, self._clock = api_key, frozenset(accepts), clock
        self._name = secrets.token_hex(8) if name is None else name
        self._numbers = count(1)
        self._cache, self._memory, self._completions = (
            PromptCache(cache_from),
            ResponseMemory(),
            CompletionMemory(),
        )
        self._received: deque[ReceivedRequest] = deque(maxlen=REQUESTS_KEPT)

    @property
    def requests(self) -> Sequence[ReceivedRequest]:
        """Every request received so far, the oldest first (the last ten thousand)."""
        return tuple(self._received.copy())

    @property
    def steps_left(self) -> int:
        """How many steps of the script have not been taken."""
        return len(self._script)

    async def _serve_one(self, request: "web.Request") -> "web.StreamResponse":
        names = {name.lower(): value for name, value in request.headers.items()}
        received = ReceivedRequest(request.method, request.path, names, await request.read())
        self._received.append(received)
        headers = {"Server": "turngraph-scripted", "X-Request-Id": f"req_{self._id()}"}
        try:
            check_key(names, self._api_key)
            return await self._route(request, received, headers)
        except RequestError as exc:
            return send_json(exc.body, headers, exc.status)

    async def _route(
        self, request: "web.Request", received: ReceivedRequest, headers: Mapping[str, str]
    ) -> "web.StreamResponse":
        resource, _, rest = BASE.sub("", received.path, count=1).partition("/")
        match received.method, resource, rest:
            case ("POST", "chat", "completions") | ("POST", "responses", ""):
                return await self._play(request, received, headers)
            case "GET", "models", "":
                return send_json({"object": "list", "data": [MODEL]}, headers)
            case "GET", "models", name if name:
                return send_json({**MODEL, "id": name}, headers)
            case "GET", "chat", "completions":
                return send_json(self._completions.listed(request.query), headers)
            case "GET", "chat", name if name.startswith("completions/"):
                return send_json(self._completed(name.removeprefix("completions/")), headers)
            case "GET", "responses", response_id if response_id:
                return send_json(self._kept(response_id), headers)
        message = f"Invalid URL ({received.method} {received.path})"
        raise RequestError(message, status=404)

    async def _play(
        self, request: "web.Request", received: ReceivedRequest, headers: Mapping[str, str]
    ) -> "web.StreamResponse":
        """Take the next step of the script. A request the vendor would refuse takes none, but for a
        Fail or a Raw.
        """
        step = self._peek(received)
        exchange = None if isinstance(step, Fail | Raw) else self._read(received)
        if self._script:
            self._script.popleft()
        while isinstance(step, Hang):
            await asyncio.sleep(step.seconds)
            step = step.then
        if isinstance(step, Fail):
            return send_failure(step, headers)
        if isinstance(step, Raw):
            return send_raw(step, headers)
        assert exchange is not None, "only a Fail or a Raw is sent to a request that was not read"
        cut, answer = (step, step.answer) if isinstance(step, Cut) else (None, step)
        written = self._answered(exchange, answer)
        if cut is not None:
            return await send_cut(request, cut, written, headers)
        if isinstance(written, Mapping):
            return send_json(written, headers)
        return await send_events(request, written, headers, self._delay_s)

    def _peek(self, received: ReceivedRequest) -> Step | None:
        if not self._script:
            if self._strict:
                raise RequestError(
                    "The script is over, and this model is strict.", code="script_over"
                )
            return None
        step = self._script[0]
        return step(received) if callable(step) else step

    def _read(self, received: ReceivedRequest) -> Exchange:
        body = parsed(received.content)
        if received.path.endswith("/responses"):
            return ResponsesExchange.read(body, self._memory, self._accepts)
        return ChatExchange.read(body, self._accepts, self._completions)

    def _answered(self, exchange: Exchange, scripted: Answer | None) -> Written:
        prompt = exchange.prompt
        answer = capped(self._think(prompt), prompt) if scripted is None else scripted
        usage = metered(answer, prompt, self._cache)
        answer = answer.numbered([f"call_{self._id()}" for _ in answer.calls])
        envelope = Envelope(
            f"{exchange.prefix}{self._id()}",
            int(self._clock()),
            exchange.body["model"],
            self._pieces,
        )
        return exchange.written(answer, usage, envelope)

    def _kept(self, response_id: str) -> Mapping[str, Any]:
        kept = self._memory.find(response_id)
        if kept is None:
            raise RequestError(
                f"Response with id '{response_id}' not found.", param="id", status=404
            )
        return kept.body

    def _completed(self, completion_id: str) -> Mapping[str, Any]:
        kept = self._completions.find(completion_id)
        if kept is None:
            raise RequestError(
                f"Chat completion with id '{completion_id}' not found.", param="id", status=404
            )
        return kept

    def _id(self) -> str:
        return f"{self._name}{next(self._numbers):06}"
