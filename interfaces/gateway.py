"""`handler`: a whole turn behind one function, in the gateway's shape: wire messages in, an HTTP
reply out.

It never raises for what a caller sent: bad input is a 400 that names what was wrong, a thread that
another worker has a 409 that says when to come back.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.runnables import RunnableConfig

from turngraph.billing.errors import TurnConflictError
from turngraph.graphs.turn_graph import TurnGraph
from turngraph.providers.writing.from_chat import from_chat
from turngraph.state.errors import TurnValueError
from turngraph.state.result import TurnResult
from turngraph.state.turn import TurnInput, TurnSettings
from turngraph.state.turn_error import TurnError

__all__ = ["ahandler", "handler"]


def handler(
    turn: TurnGraph,
    data: Mapping[str, Any],
    *,
    account: str | None = None,
    key: str | None = None,
    tags: Sequence[str] = (),
    thread: str | None = None,
    turn_id: str | None = None,
    plugins: Sequence[str] | None = None,
    functions: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Run a turn on `data` and return `{isBase64Encoded, statusCode, headers, body}`.

    Args:
        turn: what `chat_turn` made. data: `{"session_key": …, "messages": […]}` in OpenAI's form,
        or `{"session_key": …, "input_text": …}`; or
            `{"body": {…}}`, a vendor's own request, which is passed through as it is, and billed.
        account: whom the turn is charged to. key: the id of the API key the caller came with, never
        the key; reports and budgets are kept for it too. tags: what else the turn is counted under.
        thread: the thread's id; the `session_key` of `data` where it is not given. Whoever has it
        has the conversation:
            a gateway of many accounts gives it from its own records, or checks the `session_key`
            against them.
        turn_id: what the caller names the request by (`Idempotency-Key`): given again, also after
            other turns of the thread where there is a ledger, it is not run again, and its result
            is returned. Every account has names of its own: the turn's id is `account:turn_id`.
        plugins, functions: the names on offer in this turn, of those `turn` was built with; all
        without either.

        >>> handler(turn=None, data={"messages": 3})["statusCode"]
        400
    """
    try:
        asked, settings, config = _read(
            data, thread, _settings(account, key, tags, plugins, functions)
        )
        kept = turn.get_state(config).values.get("messages", []) if _keeps(turn, config) else []
        out = turn.invoke(_input(_new(asked, kept), settings, turn_id), config)
        result: TurnResult = out["result"]
    except TurnValueError as exc:
        result = _refusal(exc)
    except TurnConflictError as exc:
        result = _conflict(exc)
    return result.to_http()


async def ahandler(
    turn: TurnGraph,
    data: Mapping[str, Any],
    *,
    account: str | None = None,
    key: str | None = None,
    tags: Sequence[str] = (),
    thread: str | None = None,
    turn_id: str | None = None,
    plugins: Sequence[str] | None = None,
    functions: Sequence[str] | None = None,
) -> dict[str, Any]:
    """`handler`, on the running event loop."""
    try:
        asked, settings, config = _read(
            data, thread, _settings(account, key, tags, plugins, functions)
        )
        kept = (
            (await turn.aget_state(config)).values.get("messages", [])
            if _keeps(turn, config)
            else []
        )
        out = await turn.ainvoke(_input(_new(asked, kept), settings, turn_id), config)
        result: TurnResult = out["result"]
    except TurnValueError as exc:
        result = _refusal(exc)
    except TurnConflictError as exc:
        result = _conflict(exc)
    return result.to_http()


def _as_thread(data: Mapping[str, Any], thread: str | None) -> RunnableConfig:
    key = thread if thread is not None else data.get("session_key")
    if not (key is None or isinstance(key, str | int)) or not str(key).isprintable():
        raise TurnValueError(
            f"`session_key` is {type(key).__name__}; it must be a text of printable characters."
        )
    return {"configurable": {} if key is None else {"thread_id": str(key)}}


def _settings(
    account: str | None,
    key: str | None,
    tags: Sequence[str],
    plugins: Sequence[str] | None,
    functions: Sequence[str] | None,
) -> TurnSettings:
    tools = (
        None if plugins is None and functions is None else (*(plugins or ()), *(functions or ()))
    )
    return TurnSettings(account=account, api_key_id=key, tags=tuple(tags), tools=tools)


def _read(
    data: Mapping[str, Any], thread: str | None, settings: TurnSettings
) -> tuple[list[BaseMessage], TurnSettings, RunnableConfig]:
    if not isinstance(data, Mapping):
        raise TurnValueError(f"The request's data is a JSON object, not {type(data).__name__}.")
    body = data.get("body")
    if body is not None:
        if not isinstance(body, dict):
            raise TurnValueError(
                f"`body` is {type(body).__name__}; it must be the vendor's own request, an object."
            )
        return [], settings.model_copy(update={"body": body}), _as_thread(data, thread)
    given = data.get("messages")
    if given is None:
        text = data.get("input_text")
        if not isinstance(text, str) or not text:
            raise TurnValueError(
                "The request's data has neither `messages` (a list) nor `input_text` (a text)."
            )
        given = [{"role": "user", "content": text}]
    if not isinstance(given, list) or not given:
        raise TurnValueError(
            f"`messages` is {type(given).__name__}; it must be a list of at least one message."
        )
    return from_chat(given), settings, _as_thread(data, thread)


def _input(messages: list[BaseMessage], settings: TurnSettings, turn_id: str | None) -> TurnInput:
    given = TurnInput(messages=[*messages], settings=settings)
    if turn_id is None:
        return given
    # Two accounts may name their requests alike, and neither is to learn of the other's.
    return {
        **given,
        "turn_id": turn_id if settings.account is None else f"{quote(settings.account)}:{turn_id}",
    }


def _keeps(turn: TurnGraph, config: RunnableConfig) -> bool:
    if turn.checkpointer and "thread_id" not in config["configurable"]:
        raise TurnValueError(
            "The request's data has no `session_key`, and conversations are kept here: give one."
        )
    return bool(turn.checkpointer)


def _new(given: list[BaseMessage], kept: list[BaseMessage]) -> list[BaseMessage]:
    """What `given` adds to a thread that already keeps `kept`: a client sends the whole
    conversation every time.
    """
    if not kept:
        return given
    last = max(
        (place for place, message in enumerate(given) if isinstance(message, AIMessage)), default=-1
    )
    return given[last + 1 :]


def _refusal(error: TurnValueError) -> TurnResult:
    return TurnResult(
        turn_id="", status="error", error=TurnError(kind="value", message=str(error), status=400)
    )


def _conflict(error: TurnConflictError) -> TurnResult:
    told = TurnError(
        kind="conflict", message=str(error), status=409, retry_after_s=error.retry_after_s
    )
    return TurnResult(turn_id=error.turn_id, status="error", error=told)
