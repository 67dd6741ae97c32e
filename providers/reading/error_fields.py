"""What an error of a vendor's says, read from whichever form its JSON has.

form of the error                                    vendors
{"error": {"message": …, "type": …, "code": …}}      OpenAI and most
{"error": "…"}                                       xAI, Ollama; the code may stand beside it
[{"error": {"code": 429, "status": "…"}}]            Gemini
{"object": "error", "message": …, "code": 400}       Mistral, older vLLM
{"detail": [{"loc": […], "msg": "…"}]}               FastAPI servers: Mistral, vLLM
{"choices": [{"error": {…}}]}                        OpenRouter
{"base_resp": {"status_code": 1002, …}}              MiniMax
{"errors": [{"code": 3040, …}], "success": false}    Cloudflare
{"error": "…", "error_type": "overloaded"}           TGI
{"__type": "ThrottlingException", …}                 AWS
"""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from turngraph.providers.reading.json_values import first_choice
from turngraph.state.json_types import JsonMapping, member_at

__all__ = ["ErrorFields", "error_fields_of"]

HTTP_STATUS: Final = re.compile(r"[1-5]\d\d", re.ASCII)
MAX_COMPLAINTS: Final = 10
"""How many entries of a list of complaints are quoted."""


class ErrorFields(NamedTuple):
    """The members of an error; those it does not have are None."""

    message: str = ""
    code: str | None = None
    type: str | None = None
    param: str | None = None
    status: int | None = None
    """The HTTP status that the error gives as its own, which may differ from the response's."""


def error_fields_of(raw: object) -> ErrorFields:
    """The members of the error `raw`.

    >>> error_fields_of({"error": "Busy.", "code": "slow_down"})[:2]
    ('Busy.', 'slow_down')
    """
    if isinstance(raw, list):
        return error_fields_of(raw[0]) if raw else ErrorFields()
    if not isinstance(raw, Mapping):
        if isinstance(raw, int) and not isinstance(raw, bool):
            return ErrorFields(status=http_status(raw))
        return ErrorFields(raw) if isinstance(raw, str) else ErrorFields()
    inner = next((raw[name] for name in ("error", "errors") if raw.get(name)), None)
    if inner is None:
        # OpenRouter reports the failure of one choice within that choice.
        inner = first_choice(raw).get("error")
    if inner is None:
        inner = raw.get("base_resp")
    if inner is None:
        return flat_fields(raw)
    return with_missing_from(error_fields_of(inner), flat_fields(raw))


def with_missing_from(inner: ErrorFields, outer: ErrorFields) -> ErrorFields:
    """`inner`, with missing members taken from `outer` (xAI has its `code` beside the error)."""
    missing = {
        name: value for name, value in outer._asdict().items() if getattr(inner, name) in (None, "")
    }
    return inner._replace(**missing)


def flat_fields(raw: JsonMapping) -> ErrorFields:
    code = raw.get("code") or raw.get("status_code")
    types = (raw.get(name) for name in ("type", "error_type", "__type", "status"))
    type_ = next((value for value in types if value), None)
    # `code` is a word at OpenAI, an HTTP status at OpenRouter and vLLM.
    statuses = map(http_status, (raw.get("status_code"), code, raw.get("status")))
    param = raw.get("param")
    return ErrorFields(
        message=message_of(raw),
        code=None if code is None else str(code),
        type=type_ if isinstance(type_, str) and type_ != "error" else None,
        param=param if isinstance(param, str) else None,
        status=next((status for status in statuses if status is not None), None),
    )


def http_status(value: object) -> int | None:
    """`value` as an HTTP status, also where it is text (Azure's `"404"`)."""
    digits = str(value) if isinstance(value, int | str) else ""
    return int(digits) if HTTP_STATUS.fullmatch(digits) else None


def message_of(raw: JsonMapping) -> str:
    names = ("message", "detail", "msg", "status_msg")
    message = next((raw[name] for name in names if raw.get(name)), None)
    # OpenRouter's own message is general; what its upstream said stands in the metadata:
    # https://openrouter.ai/docs/api-reference/errors
    upstream = member_at(raw, "metadata.raw")
    return "; ".join(part for part in (message_text(message), message_text(upstream)) if part)


def message_text(message: object) -> str:
    """A message that is text, or FastAPI's list of what is wrong and where:
    https://fastapi.tiangolo.com/tutorial/handling-errors/
    """
    if isinstance(message, str):
        return message
    if isinstance(message, list):
        return "; ".join(part for part in map(message_text, message[:MAX_COMPLAINTS]) if part)
    if not isinstance(message, Mapping):
        return ""
    location = message.get("loc")
    place = ".".join(map(str, location)) if isinstance(location, list) else ""
    text = message_of(message)
    return f"{place}: {text}" if place else text
