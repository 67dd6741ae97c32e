"""The scripted model: an OpenAI-compatible server on this machine that answers from a script.

What happens to one request, in this order (the methods of `ScriptedModel` stand in it too):

1. `_serve_one` keeps the request for `ScriptedModel.requests` and checks its API key.
2. `_route` looks at method and path: a list of models, a stored answer, or a new answer.
3. `_play` takes the next step of the script. `Fail` and `Raw` are sent whatever the request holds.
4. `_read` checks the request as the vendor would and reads it as a `Prompt`. A refused request gets
   the documented error object and leaves the script where it was.
5. `_render` takes the answer of the step or of the responder, counts its tokens and gives it ids.
6. `turngraph.scripted.sending` writes it to the socket, whole, as a stream, or cut off.
"""

import asyncio
import re
import secrets
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import count
from typing import TYPE_CHECKING, Final, TypeAlias

from turngraph.scripted.argument_kinds import check_arguments
from turngraph.scripted.chat.completion_store import CompletionStore
from turngraph.scripted.checks import RequestError
from turngraph.scripted.envelope import Envelope
from turngraph.scripted.exchange import ChatExchange, Exchange, RenderedAnswer, ResponsesExchange
from turngraph.scripted.loopback import LoopbackServer
from turngraph.scripted.prompt import Answer, Prompt
from turngraph.scripted.received import ReceivedRequest
from turngraph.scripted.request_guard import check_key, parse_body
from turngraph.scripted.responder import default_responder
from turngraph.scripted.responder.token_counter import PromptCache, count_usage, truncate
from turngraph.scripted.responses.response_store import ResponseStore
from turngraph.scripted.script import Cut, Fail, Hang, Raw, ScriptStep, Step
from turngraph.scripted.sending import send_cut, send_events, send_failure, send_json, send_raw
from turngraph.state.connected import Connected
from turngraph.state.errors import TurnConfigurationError
from turngraph.state.json_types import JsonObject

if TYPE_CHECKING:
    from aiohttp import web

__all__ = ["ScriptedModel"]

Headers: TypeAlias = Mapping[str, str]

MODEL: Final[JsonObject] = {
    "id": "scripted",
    "object": "model",
    "created": 0,
    "owned_by": "turngraph",
}
MAX_REQUESTS_KEPT: Final = 10_000
BASE_PATH: Final = re.compile(r"/(?:openai/)?(?:v1|deployments/[^/]+)/")
"""What stands before `chat/completions` in a path: OpenAI's base path, or Azure's."""


class ScriptedModel(Connected, LoopbackServer):
    """Serves Chat Completions and Responses at `base_url`, as JSON and as streams.

    No key, no network and no language model is needed.

    Args:
        script: what to answer, one step a request: `Say`, `Call`, `Refuse`, `Fail`, `Hang`, `Cut`,
            `Raw`, or a function that takes the request and returns a step. A request that the
            vendor would refuse uses up no step, but `Fail` and `Raw` answer any request.
        strict: refuse every request after the end of the script, instead of letting `responder`
            answer.
        responder: answers what the script does not. The default calls the offered tools that fit
            the question and repeats their results.
        pieces: how many pieces a stream makes of each text; None makes one piece of each word.
        delay_s: seconds between two events of a stream.
        api_key: the only key that is accepted; None accepts any key, or none.
        accepts: names of request members to take although OpenAI's API does not know them.
        cache_from: the least number of tokens for which a prompt that was seen before is counted as
            cached (OpenAI: 1024).
        name: the beginning of all ids. The default is random, so that two models share no id.
        clock: returns the seconds since 1970.
        port: the port on 127.0.0.1; 0 takes a free one.

    Raises:
        TurnConfigurationError: for an argument of a wrong kind, such as a script with something
            that is not a step.

    >>> import json, urllib.request
    >>> from turngraph.scripted.script import Say
    >>> with ScriptedModel([Say("Hello!")]) as model:
    ...     body = {"model": "any", "messages": [{"role": "user", "content": "Hi"}]}
    ...     url = model.base_url + "/chat/completions"
    ...     with urllib.request.urlopen(url, json.dumps(body).encode()) as response:
    ...         json.load(response)["choices"][0]["message"]["content"]
    'Hello!'
    >>> model.requests[0].body["messages"][0]["content"]
    'Hi'
    """

    def __init__(
        self,
        script: Sequence[ScriptStep] = (),
        *,
        strict: bool = False,
        responder: Callable[[Prompt], Answer] = default_responder.answer,
        pieces: int | None = None,
        delay_s: float = 0.0,
        api_key: str | None = None,
        accepts: Collection[str] = (),
        cache_from: int = 1024,
        name: str | None = None,
        clock: Callable[[], float] = time.time,
        port: int = 0,
    ) -> None:
        check_arguments(
            accepts=accepts,
            api_key=api_key,
            cache_from=cache_from,
            clock=clock,
            delay_s=delay_s,
            name=name,
            pieces=pieces,
            port=port,
            responder=responder,
        )
        super().__init__(self._serve_one, port=port)
        if not isinstance(script, Sequence):
            raise TurnConfigurationError(
                f"`script` is a {type(script).__name__}; it must be a list of steps."
            )
        for step in script:
            if not isinstance(step, Step) and not callable(step):
                raise TurnConfigurationError(
                    f"A script cannot hold {type(step).__name__}. Its steps are Say, Call, Refuse, "
                    "Fail, Hang, Cut, Raw, and functions that return one of these."
                )
        self._script, self._strict, self._responder = deque(script), strict, responder
        self._pieces, self._delay_s = pieces, delay_s
        self._api_key, self._accepts, self._clock = api_key, frozenset(accepts), clock
        self._name = secrets.token_hex(8) if name is None else name
        self._id_numbers = count(1)
        self._cache = PromptCache(cache_from)
        self._responses, self._completions = ResponseStore(), CompletionStore()
        self._received: deque[ReceivedRequest] = deque(maxlen=MAX_REQUESTS_KEPT)

    @property
    def requests(self) -> Sequence[ReceivedRequest]:
        """The requests received so far, the oldest first (at most the last ten thousand)."""
        return tuple(self._received.copy())

    @property
    def steps_left(self) -> int:
        """How many steps of the script have not been used."""
        return len(self._script)

    async def _serve_one(self, request: "web.Request") -> "web.StreamResponse":
        """Keeps the request, checks its key, and answers a refusal as the vendor does."""
        names = {name.lower(): value for name, value in request.headers.items()}
        received = ReceivedRequest(request.method, request.path, names, await request.read())
        self._received.append(received)
        headers = {"Server": "turngraph-scripted", "X-Request-Id": f"req_{self._next_id()}"}
        try:
            check_key(names, self._api_key)
            return await self._route(request, received, headers)
        except RequestError as exc:
            return send_json(exc.body, headers, exc.status)

    async def _route(
        self, request: "web.Request", received: ReceivedRequest, headers: Headers
    ) -> "web.StreamResponse":
        resource, _, rest = BASE_PATH.sub("", received.path, count=1).partition("/")
        match received.method, resource, rest:
            case ("POST", "chat", "completions") | ("POST", "responses", ""):
                return await self._play(request, received, headers)
            case "GET", "models", "":
                return send_json({"object": "list", "data": [MODEL]}, headers)
            case "GET", "models", name if name:
                return send_json({**MODEL, "id": name}, headers)
            case "GET", "chat", "completions":
                return send_json(self._completions.list_page(request.query), headers)
            case "GET", "chat", name if name.startswith("completions/"):
                completion_id = name.removeprefix("completions/")
                return send_json(self._stored_completion(completion_id), headers)
            case "GET", "responses", response_id if response_id:
                return send_json(self._stored_response(response_id), headers)
        raise RequestError(f"Invalid URL ({received.method} {received.path})", status=404)

    async def _play(
        self, request: "web.Request", received: ReceivedRequest, headers: Headers
    ) -> "web.StreamResponse":
        """Takes the next step of the script and sends what it says."""
        step = self._peek_step(received)
        # `Fail` and `Raw` stand for a vendor in trouble, who answers before reading the request.
        exchange = None if isinstance(step, Fail | Raw) else self._read(received)
        # Only now is the step used up: `_read` raised if the vendor would refuse the request.
        if self._script:
            self._script.popleft()
        while isinstance(step, Hang):
            await asyncio.sleep(step.seconds)
            step = step.then
        if isinstance(step, Fail):
            return send_failure(step, headers)
        if isinstance(step, Raw):
            return send_raw(step, headers)
        assert exchange is not None, "every step but Fail and Raw follows a request that was read"
        if isinstance(step, Cut):
            return await send_cut(request, step, self._render(exchange, step.answer), headers)
        rendered = self._render(exchange, step)
        if isinstance(rendered, Mapping):
            return send_json(rendered, headers)
        return await send_events(request, rendered, headers, self._delay_s)

    def _peek_step(self, received: ReceivedRequest) -> Step | None:
        """Returns the next step without using it up; None lets the responder answer."""
        if not self._script:
            if self._strict:
                message = "The script is over, and this model is strict."
                raise RequestError(message, code="script_over")
            return None
        step = self._script[0]
        return step(received) if callable(step) else step

    def _read(self, received: ReceivedRequest) -> Exchange:
        body = parse_body(received.content)
        if received.path.endswith("/responses"):
            return ResponsesExchange.read(body, self._responses, self._accepts)
        return ChatExchange.read(body, self._accepts, self._completions)

    def _render(self, exchange: Exchange, scripted: Answer | None) -> RenderedAnswer:
        """Renders the scripted answer, or else the responder's, with usage and ids."""
        prompt = exchange.prompt
        # A scripted answer is never shortened: a script may play a model that ignores its limits.
        answer = truncate(self._responder(prompt), prompt) if scripted is None else scripted
        usage = count_usage(answer, prompt, self._cache)
        answer = answer.with_call_ids([f"call_{self._next_id()}" for _ in answer.calls])
        envelope = Envelope(
            id=f"{exchange.id_prefix}{self._next_id()}",
            created=int(self._clock()),
            model=exchange.body["model"],
            pieces=self._pieces,
        )
        return exchange.render(answer, usage, envelope)

    def _stored_response(self, response_id: str) -> JsonObject:
        response = self._responses.find(response_id)
        if response is None:
            message = f"Response with id '{response_id}' not found."
            raise RequestError(message, param="id", status=404)
        return response.body

    def _stored_completion(self, completion_id: str) -> JsonObject:
        completion = self._completions.find(completion_id)
        if completion is None:
            message = f"Chat completion with id '{completion_id}' not found."
            raise RequestError(message, param="id", status=404)
        return completion

    def _next_id(self) -> str:
        return f"{self._name}{next(self._id_numbers):06}"
