"""What is checked of every request before it is read: the key, and that the body is a JSON object."""

import json
from collections.abc import Mapping
from typing import Any, NoReturn

from turngraph.scripted.checks import RequestError

__all__ = ["check_key", "parsed"]


def check_key(headers: Mapping[str, str], key: str | None) -> None:
    """Refuse a request without the right key, in `Authorization: Bearer` or, as Azure has it,
    `api-key`.
    """
    if key is None:
        return
    sent = headers.get("api-key", headers.get("authorization", "")).removeprefix("Bearer ")
    if not sent:
        raise RequestError("You didn't provide an API key.", status=401)
    if sent != key:
        # The vendor repeats the key, a long one masked; clients must cope with that.
        shown = sent if len(sent) < 13 else f"{sent[:8]}{'*' * (len(sent) - 12)}{sent[-4:]}"
        raise RequestError(
            f"Incorrect API key provided: {shown}.", code="invalid_api_key", status=401
        )


def parsed(content: bytes) -> dict[str, Any]:
    """The body as an object. Raises RequestError where it is none; NaN and the infinities are not
    JSON.
    """
    try:
        body = json.loads(content, parse_constant=_refuse)
    except ValueError:
        message = "We could not parse the JSON body of your request."
        raise RequestError(message) from None
    if not isinstance(body, dict):
        raise RequestError("The body of your request is JSON, but not an object.")
    return body


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
