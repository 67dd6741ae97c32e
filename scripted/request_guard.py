"""Checks every request before its members are read: the API key, and that the body is JSON."""

import json
from collections.abc import Mapping
from typing import NoReturn

from turngraph.scripted.checks import RequestError
from turngraph.state.json_types import JsonObject

__all__ = ["check_key", "parse_body"]


def check_key(headers: Mapping[str, str], key: str | None) -> None:
    """Raises RequestError (401) unless the request carries `key`; with `key=None` accepts any.

    OpenAI's clients send the key as `Authorization: Bearer KEY`, Azure's as `api-key: KEY`.
    """
    if key is None:
        return
    sent = headers.get("api-key", headers.get("authorization", "")).removeprefix("Bearer ")
    if not sent:
        raise RequestError("You didn't provide an API key.", status=401)
    if sent != key:
        # The vendor's error repeats the key, with the middle of a long key masked. Clients must not
        # show that, so the scripted model gives them the chance to fail.
        shown = sent if len(sent) < 13 else f"{sent[:8]}{'*' * (len(sent) - 12)}{sent[-4:]}"
        raise RequestError(
            f"Incorrect API key provided: {shown}.", code="invalid_api_key", status=401
        )


def parse_body(content: bytes) -> JsonObject:
    """Returns the body as a JSON object. Raises RequestError (400) where it is none.

    NaN and Infinity are refused: Python's parser takes them, but they are not JSON.
    """
    try:
        body = json.loads(content, parse_constant=_refuse_constant)
    except ValueError:
        message = "We could not parse the JSON body of your request."
        raise RequestError(message) from None
    if not isinstance(body, dict):
        raise RequestError("The body of your request is JSON, but not an object.")
    return body


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
