"""`handler`: a whole turn behind one function, for HTTP gateways and serverless functions.

Wire messages come in, an HTTP response goes out. `handler` raises nothing for what a caller has
sent: bad input is a 400 that names what is wrong, and a thread that another worker is using is a
409 that says when to try again.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final
from urllib.parse import quote

from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.runnables import RunnableConfig
from langgraph.types import StateSnapshot

from turngraph.billing.errors import TurnConflictError
from turngraph.graphs.turn_graph import TurnGraph
from turngraph.providers.writing.from_chat import from_chat
from turngraph.providers.writing.openai_messages import openai_messages
from turngraph.state.argument_kinds import Kind, check_kinds, is_a, is_name, list_of, or_none
from turngraph.state.errors import TurnValueError
from turngraph.state.flow import Flow, Wait, drive, drive_async
from turngraph.state.result import TurnResult
from turngraph.state.turn import TurnInput, TurnSettings
from turngraph.state.turn_error import TurnError

__all__ = ["ahandler", "handler"]

_NAMES: Final = list_of(is_a(str))
_KINDS: Final[Mapping[str, Kind]] = {
    "tags": Kind(_NAMES, "a list of texts"),
    "plugins": Kind(or_none(_NAMES), "a list of names of plugins"),
    "functions": Kind(or_none(_NAMES), "a list of names of built-in tools"),
}


def handler(
    turn: TurnGraph,
    data: Mapping[str, object],
    *,
    account: str | None = None,
    api_key_id: str | None = None,
    tags: Sequence[str] = (),
    thread: str | None = None,
    turn_id: str | None = None,
    plugins: Sequence[str] | None = None,
    functions: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Runs one turn and returns `{isBase64Encoded, statusCode, headers, body}`.

    The body is what `TurnResult.to_http` says; its member `turn` has the turn's `new_messages` and
    the whole conversation as `openai_messages`, both in OpenAI's form.

    Args:
        turn: what `chat_turn` returns.
        data: one of three requests. `{"session_key": …, "messages": […]}` has messages in OpenAI's
            form; `{"session_key": …, "input_text": …}` has one user message; `{"body": {…}}` has a
            vendor's own request, which is sent unchanged, and billed.
        account: the account that the turn is charged to.
        api_key_id: the id of the caller's API key, never the key itself. Reports and budgets can be
            made for it.
        tags: other names under which the spending is counted.
        thread: the id of the thread. Default: the `session_key` of `data`. Whoever has the id can
            go on with the conversation, so a gateway with many accounts passes an id from its own
            records, or checks that the `session_key` belongs to the account.
        turn_id: the caller's name of the request (an `Idempotency-Key`). Where the same name comes
            again, the turn is not run again and its result is returned; with a ledger also after
            other turns of the thread. Each account has its own names: the id of the turn is
            `account:turn_id`.
        plugins: names of the plugins that this turn may use. Default: all, if `functions` is
            absent too.
        functions: names of the built-in functions that this turn may use. Default: as `plugins`.

    >>> handler(turn=None, data={"messages": 3})["statusCode"]
    400
    """
    settings = _settings(account, api_key_id, tags, plugins, functions)
    return drive(_answer(turn, data, settings, thread=thread, turn_id=turn_id))


async def ahandler(
    turn: TurnGraph,
    data: Mapping[str, object],
    *,
    account: str | None = None,
    api_key_id: str | None = None,
    tags: Sequence[str] = (),
    thread: str | None = None,
    turn_id: str | None = None,
    plugins: Sequence[str] | None = None,
    functions: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Async version of `handler`."""
    settings = _settings(account, api_key_id, tags, plugins, functions)
    return await drive_async(_answer(turn, data, settings, thread=thread, turn_id=turn_id))


def _answer(
    turn: TurnGraph,
    data: Mapping[str, object],
    settings: TurnSettings,
    *,
    thread: str | None,
    turn_id: str | None,
) -> Flow[dict[str, Any]]:
    try:
        messages, settings, config = _read_request(data, thread, settings)
        if _has_thread(turn, config):
            state: StateSnapshot = yield Wait(
                partial(turn.get_state, config), partial(turn.aget_state, config)
            )
            messages = _new_messages(messages, state.values.get("messages", []))
        given = _turn_input(messages, settings, turn_id)
        out = yield Wait(partial(turn.invoke, given, config), partial(turn.ainvoke, given, config))
        result: TurnResult = out["result"]
        return result.to_http(openai_messages=openai_messages(out["messages"]))
    except TurnValueError as exc:
        return _bad_request(exc).to_http()
    except TurnConflictError as exc:
        return _conflict(exc).to_http()


def _settings(
    account: str | None,
    api_key_id: str | None,
    tags: Sequence[str],
    plugins: Sequence[str] | None,
    functions: Sequence[str] | None,
) -> TurnSettings:
    given = {"tags": tags, "plugins": plugins, "functions": functions}
    check_kinds(_KINDS, given, TurnValueError)
    named = plugins is not None or functions is not None
    tools = (*(plugins or ()), *(functions or ())) if named else None
    return TurnSettings(account=account, api_key_id=api_key_id, tags=tuple(tags), tools=tools)


def _read_request(
    data: Mapping[str, object], thread: str | None, settings: TurnSettings
) -> tuple[list[BaseMessage], TurnSettings, RunnableConfig]:
    """Returns messages, settings and config. Raises TurnValueError for what cannot be read."""
    if not isinstance(data, Mapping):
        raise TurnValueError(f"The request is {type(data).__name__}; it must be a JSON object.")
    body = data.get("body")
    if data.get("stream") or (isinstance(body, dict) and body.get("stream")):
        raise TurnValueError(
            "The request asks for a stream (`stream`), and a handler's answer is one whole HTTP "
            "response. Leave `stream` out, or serve the turn's own `astream`."
        )
    if body is not None:
        if not isinstance(body, dict):
            raise TurnValueError(
                f"`body` is {type(body).__name__}; it must be an object, the vendor's own request."
            )
        return [], settings.model_copy(update={"body": body}), _config(data, thread)
    messages = data.get("messages")
    if messages is None:
        text = data.get("input_text")
        if not isinstance(text, str) or not text:
            raise TurnValueError(
                "The request has neither `messages` (a list) nor `input_text` (a text); add one."
            )
        messages = [{"role": "user", "content": text}]
    if not isinstance(messages, list) or not messages:
        raise TurnValueError(
            f"`messages` is {type(messages).__name__}; it must be a list of at least one message."
        )
    return from_chat(messages), settings, _config(data, thread)


def _config(data: Mapping[str, object], thread: str | None) -> RunnableConfig:
    key = thread if thread is not None else data.get("session_key")
    # The key comes from a caller and goes into a database, which takes no NUL and no surrogates.
    is_key = isinstance(key, str) or (isinstance(key, int) and is_name(key))
    if key is not None and not (is_key and str(key).isprintable()):
        raise TurnValueError(
            f"`session_key` is {type(key).__name__}; it must be a text of printable characters."
        )
    return {"configurable": {} if key is None else {"thread_id": str(key)}}


def _turn_input(
    messages: list[BaseMessage], settings: TurnSettings, turn_id: str | None
) -> TurnInput:
    turn_input = TurnInput(messages=[*messages], settings=settings)
    if turn_id is None:
        return turn_input
    # Two accounts may use the same name for their requests; neither may see the other's result.
    unique = turn_id if settings.account is None else f"{quote(settings.account)}:{turn_id}"
    return {**turn_input, "turn_id": unique}


def _has_thread(turn: TurnGraph, config: RunnableConfig) -> bool:
    """Whether the turn is part of a stored thread. Raises TurnValueError if its id is missing."""
    if turn.checkpointer and "thread_id" not in config["configurable"]:
        raise TurnValueError(
            "The request has no `session_key`, but conversations are stored here; add one."
        )
    return bool(turn.checkpointer)


def _new_messages(sent: list[BaseMessage], stored: list[BaseMessage]) -> list[BaseMessage]:
    """Returns the messages that a thread does not have yet.

    Clients send the whole conversation with every request, so what follows the last assistant
    message is new.
    """
    if not stored:
        return sent
    assistant = (place for place, message in enumerate(sent) if isinstance(message, AIMessage))
    return sent[max(assistant, default=-1) + 1 :]


def _bad_request(error: TurnValueError) -> TurnResult:
    problem = TurnError(kind="value", message=str(error), status=400)
    return TurnResult(turn_id="", status="error", error=problem)


def _conflict(error: TurnConflictError) -> TurnResult:
    problem = TurnError(
        kind="conflict", message=str(error), status=409, retry_after_s=error.retry_after_s
    )
    return TurnResult(turn_id=error.turn_id, status="error", error=problem)
