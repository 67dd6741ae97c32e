"""The request of an API plugin: each value encoded for its place, and nothing a value could say
moves the request.

Placeholders are names in braces and nothing else: no attribute access, no formats, no expressions.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlsplit

from langchain_core.tools import ToolException

from turngraph.tools.manifests.plugin_parts import ApiData

__all__ = ["ApiRequest", "TemplateError", "check_template", "render"]

PLACEHOLDER: Final = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
BODILESS: Final = {"GET", "HEAD", "DELETE", "OPTIONS"}
MAX_URL: Final = 8_000
"""Characters. Servers refuse longer ones in many ways."""


class TemplateError(ValueError):
    """A request no plugin may send. The text is for the author of the manifest."""


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """A request ready to send."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes | None
    repeatable: bool = False


def check_template(data: ApiData, base_url: str) -> None:
    """Nothing, where the endpoint is a path and every placeholder a parameter; else TemplateError."""
    known = {parameter.name for parameter in data.parameters}
    for name in _placeholders(data):
        if name not in known:
            there = ", ".join(sorted(known)) or "none"
            raise TemplateError(f"the placeholder {{{name}}} is no parameter (there are: {there})")
    if PLACEHOLDER.search(base_url):
        raise TemplateError(
            "the connection's base_url holds a placeholder; a plugin may only choose below it"
        )
    parts = urlsplit(data.endpoint)
    if parts.scheme or parts.netloc or data.endpoint.startswith("//") or "\\" in data.endpoint:
        raise TemplateError("the endpoint must be a path below the connection's base_url")
    if parts.fragment:
        raise TemplateError("the endpoint holds a fragment (#…), which is never sent")
    if any(segment in (".", "..") for segment in parts.path.split("/")):
        raise TemplateError("the endpoint holds . or .. as a segment")


def render(data: ApiData, base_url: str, values: Mapping[str, Any]) -> ApiRequest:
    """The request for these values. Raises ToolException, with a sentence, for a value that has no
    place in it.
    """
    path, _, query = data.endpoint.partition("?")
    pairs = [*_query(query, values), *_params(data, values)]
    used = set(_placeholders(data))
    loose = {
        name: value for name, value in values.items() if name not in used and value is not None
    }
    if data.method in BODILESS:
        pairs += [(name, item) for name, value in loose.items() for item in _items(value)]
    body, kind = _body(data, values, loose)
    base = urlsplit(base_url)
    whole = f"{base.path.rstrip('/')}/{_path(path, values).lstrip('/')}"
    text = "&".join(f"{quote(key, safe='')}={quote(value, safe='')}" for key, value in pairs)
    url = f"{base.scheme}://{base.netloc}{whole}{'?' + text if text else ''}"
    _check_url(url, base_url)
    headers = {"Accept": "application/json, text/*;q=0.5"} | kind | _headers(data, values)
    return ApiRequest(data.method, url, headers, body, data.repeatable)


def _placeholders(data: ApiData) -> Iterator[str]:
    """The names of all placeholders, in all places."""
    places = [data.endpoint, *(str(param.value) for param in data.url_params)]
    places += [str(header.value) for header in data.headers]
    yield from PLACEHOLDER.findall("\n".join([*places, *_texts(data.body)]))


def _texts(body: Any) -> list[str]:
    if isinstance(body, str):
        return [body]
    if isinstance(body, dict):
        return [text for item in body.values() for text in _texts(item)]
    return [text for item in body for text in _texts(item)] if isinstance(body, list) else []


def _path(path: str, values: Mapping[str, Any]) -> str:
    """The path, its own text kept as it is written, each value inside one segment of it."""
    pieces = PLACEHOLDER.split(path)
    texts = [quote(text, safe="/:@!$&'()*+,;=-._~%") for text in pieces[::2]]
    inserted = [_segment(name, values[name]) for name in pieces[1::2]]
    rendered = "".join(text + value for text, value in zip(texts, [*inserted, ""], strict=True))
    if any(segment in (".", "..") for segment in rendered.split("/")):
        raise ToolException("A value of . or .. cannot stand in the address.")
    return rendered


def _segment(name: str, value: Any) -> str:
    if value is None or value == "":
        raise ToolException(f"`{name}` is needed: it is part of the address.")
    return quote(_encodable(name, _text(value)), safe="")


def _query(query: str, values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The pairs of an endpoint's own query string."""
    for pair in filter(None, query.split("&")):
        key, _, value = pair.partition("=")
        for item in _items(_filled(value, values)):
            yield key, item


def _params(data: ApiData, values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for param in data.url_params:
        filled = _filled(param.value, values) if isinstance(param.value, str) else param.value
        for item in _items(filled):
            yield param.key, item


def _headers(data: ApiData, values: Mapping[str, Any]) -> dict[str, str]:
    filled = {
        one.name: _filled(one.value, values) if isinstance(one.value, str) else one.value
        for one in data.headers
    }
    return {
        name: _header(name, _text(value)) for name, value in filled.items() if value is not None
    }


def _header(name: str, value: str) -> str:
    if CONTROL.search(value) or not value.isascii():
        raise ToolException(
            f"The value for the header {name} holds characters a header cannot carry."
        )
    return value


def _body(
    data: ApiData, values: Mapping[str, Any], loose: dict[str, Any]
) -> tuple[bytes | None, dict[str, str]]:
    """The body and its content type. Parameters that stand nowhere become its fields, where there
    is none.
    """
    body = _filled_deep({} if data.body in (None, []) else _fields(data.body), values)
    if data.method in BODILESS and data.body in (None, []):
        return None, {}
    if isinstance(body, dict):
        body = body | loose
    if data.body_format == "form":
        if not isinstance(body, dict):
            raise ToolException("The body of a form must be a mapping.")
        pairs = [(str(key), item) for key, value in body.items() for item in _items(value)]
        text = "&".join(f"{quote(key, safe='')}={quote(value, safe='')}" for key, value in pairs)
        return text.encode(), {"Content-Type": "application/x-www-form-urlencoded"}
    return json.dumps(body, ensure_ascii=True, allow_nan=False).encode(), {
        "Content-Type": "application/json"
    }


def _fields(body: Any) -> Any:
    """A list of `{name, value}` or `{key, value}` is the first dialect's way of writing an object."""
    if isinstance(body, list) and body and all(_is_field(item) for item in body):
        return {item.get("name", item.get("key")): item["value"] for item in body}
    return body


def _is_field(item: Any) -> bool:
    return isinstance(item, dict) and set(item) in ({"name", "value"}, {"key", "value"})


def _filled_deep(template: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(template, str):
        return _filled(template, values)
    if isinstance(template, dict):
        return {key: _filled_deep(item, values) for key, item in template.items()}
    return (
        [_filled_deep(item, values) for item in template]
        if isinstance(template, list)
        else template
    )


def _filled(template: str, values: Mapping[str, Any]) -> Any:
    """A text that is one placeholder becomes the value itself, of its own type; in any other,
    values become text.
    """
    if whole := PLACEHOLDER.fullmatch(template):
        return values[whole[1]]
    return PLACEHOLDER.sub(
        lambda found: "" if values[found[1]] is None else _text(values[found[1]]), template
    )


def _items(value: Any) -> list[str]:
    """The texts of a query or form field: none for `None`, several for a list."""
    if value is None:
        return []
    found = [_text(item) for item in value] if isinstance(value, list | tuple) else [_text(value)]
    return [_encodable("a value", text) for text in found]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _encodable(name: str, text: str) -> str:
    if "\x00" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise ToolException(f"`{name}` holds characters no address can carry.")
    return text


def _check_url(url: str, base_url: str) -> None:
    """Whatever the values said, it is still the connection's server, below its path."""
    made, base = urlsplit(url), urlsplit(base_url)
    below = made.path.startswith(base.path.rstrip("/") + "/")
    same = below and (made.scheme, made.netloc) == (base.scheme, base.netloc)
    if not same or CONTROL.search(url) or not url.isascii():
        raise ToolException("These values do not make an address below the service's own.")
    if len(url) > MAX_URL:
        raise ToolException(
            f"These values make an address of {len(url):,} characters; at most {MAX_URL:,} are sent."
        )
