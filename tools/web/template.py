"""Builds the request of an API plugin from its parameters.

Each value is encoded for its place, so that no value can change the server, the path or the headers
of the request.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlsplit

from langchain_core.tools import ToolException

from turngraph.tools.manifests.placeholders import PLACEHOLDER, undefined_placeholder
from turngraph.tools.manifests.plugin_parts import ApiData
from turngraph.tools.text import UNSENDABLE, value_text

__all__ = ["ApiRequest", "TemplateError", "check_template", "render_request"]

CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
BODILESS: Final = {"GET", "HEAD", "DELETE", "OPTIONS"}
"""Methods whose body has no defined meaning (https://www.rfc-editor.org/rfc/rfc9110#section-9.3.1),
so parameters without a placeholder go into the query string.
"""
MAX_URL: Final = 8_000
"""Characters. Servers refuse longer ones (https://www.rfc-editor.org/rfc/rfc9110#section-4.1)."""

Values = Mapping[str, Any]
"""The values of the parameters, by name."""
Pairs = Iterable[tuple[str, str]]
"""The fields of a query string or of a form."""


class TemplateError(ValueError):
    """A request that a plugin may not send. The text is for the author of the manifest."""


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """A request ready to send."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes | None
    repeatable: bool = False
    """Whether it may be sent again if nobody knows whether it arrived."""


def check_template(data: ApiData, base_url: str) -> None:
    """Raises TemplateError if the endpoint is not a path below `base_url`, or if a placeholder is
    not a parameter.
    """
    parameters = sorted({parameter.name for parameter in data.parameters})
    if problem := undefined_placeholder(_placeholders(data), parameters):
        raise TemplateError(problem)
    # The model fills placeholders, and it must not choose the server that gets the credentials.
    if PLACEHOLDER.search(base_url):
        raise TemplateError(
            "the connection's base_url has a placeholder; only the endpoint may have one"
        )
    parts = urlsplit(data.endpoint)
    # `//host/path` is an address of another server; browsers and clients read `\` as `/`.
    if parts.scheme or parts.netloc or data.endpoint.startswith("//") or "\\" in data.endpoint:
        raise TemplateError("the endpoint must be a path below the connection's base_url")
    if parts.fragment:
        raise TemplateError("the endpoint has a fragment (#…), which is never sent; remove it")
    if any(segment in (".", "..") for segment in parts.path.split("/")):
        raise TemplateError("the endpoint has `.` or `..` as a segment; write the path without it")


def render_request(data: ApiData, base_url: str, values: Values) -> ApiRequest:
    """Returns the request for these values.

    Raises ToolException, with a sentence for the model, for a value that cannot stand in its place.
    """
    path, _, query = data.endpoint.partition("?")
    pairs = [*_endpoint_query(query, values), *_url_params(data, values)]
    used = set(_placeholders(data))
    unplaced = {
        name: value for name, value in values.items() if name not in used and value is not None
    }
    if data.method in BODILESS:
        pairs += [(name, text) for name, value in unplaced.items() for text in _texts(value)]
    body, content_type = _body(data, values, unplaced)
    base = urlsplit(base_url)
    full_path = f"{base.path.rstrip('/')}/{_path(path, values).lstrip('/')}"
    encoded = _encode_pairs(pairs)
    url = f"{base.scheme}://{base.netloc}{full_path}{'?' + encoded if encoded else ''}"
    _check_url(url, base_url)
    headers = {"Accept": "application/json, text/*;q=0.5"} | content_type | _headers(data, values)
    return ApiRequest(data.method, url, headers, body, data.repeatable)


def _placeholders(data: ApiData) -> Iterator[str]:
    """Yields the names of all placeholders, in all places."""
    places = [data.endpoint, *(str(param.value) for param in data.url_params)]
    places += [str(header.value) for header in data.headers]
    yield from PLACEHOLDER.findall("\n".join([*places, *_body_texts(data.body)]))


def _body_texts(body: object) -> list[str]:
    if isinstance(body, str):
        return [body]
    if isinstance(body, dict):
        return [text for item in body.values() for text in _body_texts(item)]
    if isinstance(body, list):
        return [text for item in body for text in _body_texts(item)]
    return []


def _path(path: str, values: Values) -> str:
    """Returns the path: its own text as it is written, each value inside one segment."""
    pieces = PLACEHOLDER.split(path)  # texts and names alternate
    texts = [quote(text, safe="/:@!$&'()*+,;=-._~%") for text in pieces[::2]]
    inserted = [_segment(name, values[name]) for name in pieces[1::2]]
    rendered = "".join(text + value for text, value in zip(texts, [*inserted, ""], strict=True))
    # Servers and clients resolve dot segments, so `..` would lead out of the plugin's path
    # (https://www.rfc-editor.org/rfc/rfc3986#section-5.2.4). `quote` leaves dots as they are.
    if any(segment in (".", "..") for segment in rendered.split("/")):
        raise ToolException("A value of `.` or `..` cannot be part of the address.")
    return rendered


def _segment(name: str, value: object) -> str:
    # An empty segment would ask for another resource: `/users//orders`, or the list of all users.
    if value is None or value == "":
        raise ToolException(f"`{name}` is required: it is part of the address.")
    return quote(_check_encodable(name, value_text(value)), safe="")


def _endpoint_query(query: str, values: Values) -> Iterator[tuple[str, str]]:
    """Yields the fields of the endpoint's own query string."""
    for pair in filter(None, query.split("&")):
        key, _, value = pair.partition("=")
        for text in _texts(_fill(value, values)):
            yield key, text


def _url_params(data: ApiData, values: Values) -> Iterator[tuple[str, str]]:
    for param in data.url_params:
        value = _fill(param.value, values) if isinstance(param.value, str) else param.value
        for text in _texts(value):
            yield param.key, text


def _headers(data: ApiData, values: Values) -> dict[str, str]:
    filled = {
        header.name: _fill(header.value, values) if isinstance(header.value, str) else header.value
        for header in data.headers
    }
    return {
        name: _header(name, value_text(value))
        for name, value in filled.items()
        if value is not None
    }


def _header(name: str, value: str) -> str:
    # A line break would begin another header or the body (https://cwe.mitre.org/data/definitions/113.html).
    if CONTROL.search(value) or not value.isascii():
        raise ToolException(
            f"The value for the header {name} has characters that a header cannot carry."
        )
    return value


def _body(
    data: ApiData, values: Values, unplaced: dict[str, Any]
) -> tuple[bytes | None, dict[str, str]]:
    """Returns the body and its content type as a header.

    Parameters without a placeholder become fields of the body.
    """
    is_empty = data.body in (None, [])
    if data.method in BODILESS and is_empty:
        return None, {}
    body = _fill_deep({} if is_empty else _as_object(data.body), values)
    if isinstance(body, dict):
        body = body | unplaced
    if data.body_format == "form":
        if not isinstance(body, dict):
            raise ToolException("The body of a form must be a mapping.")
        form = _encode_pairs(
            (str(key), text) for key, item in body.items() for text in _texts(item)
        )
        return form.encode(), {"Content-Type": "application/x-www-form-urlencoded"}
    return json.dumps(body, ensure_ascii=True, allow_nan=False).encode(), {
        "Content-Type": "application/json"
    }


def _as_object(body: object) -> Any:
    """Returns a list of `{name, value}` or `{key, value}`, as smarter.sh/v1 writes objects, as an
    object.
    """
    if isinstance(body, list) and body and all(_is_field(item) for item in body):
        return {item.get("name", item.get("key")): item["value"] for item in body}
    return body


def _is_field(item: object) -> bool:
    return isinstance(item, dict) and set(item) in ({"name", "value"}, {"key", "value"})


def _fill_deep(template: object, values: Values) -> Any:
    if isinstance(template, str):
        return _fill(template, values)
    if isinstance(template, dict):
        return {key: _fill_deep(item, values) for key, item in template.items()}
    if isinstance(template, list):
        return [_fill_deep(item, values) for item in template]
    return template


def _fill(template: str, values: Values) -> Any:
    """Returns `template` with its placeholders filled.

    A template that is one placeholder becomes the value with its own type; otherwise values become
    text.
    """
    if whole := PLACEHOLDER.fullmatch(template):
        return values[whole[1]]
    return PLACEHOLDER.sub(
        lambda found: "" if values[found[1]] is None else value_text(values[found[1]]), template
    )


def _texts(value: object) -> list[str]:
    """Returns the texts of a field: none for None, several for a list."""
    if value is None:
        return []
    items = value if isinstance(value, list | tuple) else [value]
    return [_check_encodable("a value", value_text(item)) for item in items]


def _encode_pairs(pairs: Pairs) -> str:
    return "&".join(f"{quote(key, safe='')}={quote(value, safe='')}" for key, value in pairs)


def _check_encodable(name: str, text: str) -> str:
    if UNSENDABLE.search(text):
        raise ToolException(f"`{name}` has characters that an address cannot carry.")
    return text


def _check_url(url: str, base_url: str) -> None:
    """Checks that the request still goes to the connection's server, below its path.

    The encoding ensures this already; this check does not rely on it.
    """
    built, base = urlsplit(url), urlsplit(base_url)
    is_below = built.path.startswith(base.path.rstrip("/") + "/")
    is_same = (built.scheme, built.netloc) == (base.scheme, base.netloc)
    if not (is_below and is_same) or CONTROL.search(url) or not url.isascii():
        raise ToolException("These values do not make an address below the service's own.")
    if len(url) > MAX_URL:
        raise ToolException(
            f"These values make an address of {len(url):,} characters; at most {MAX_URL:,} are "
            "allowed."
        )
