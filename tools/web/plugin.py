"""Makes a tool of an `ApiPlugin` manifest and the client of its web service."""

import asyncio
import json
from typing import Any, Final

from langchain_core.tools import ToolException

from turngraph.tools.failures import MASK, mask_secrets
from turngraph.tools.manifests.kinds import ApiPluginManifest
from turngraph.tools.manifests.parameters import parameter_values, parameters_schema
from turngraph.tools.output import clean
from turngraph.tools.plugin import LoadedPlugin, make_tool
from turngraph.tools.text import one_line
from turngraph.tools.web.client import WebClient, WebResponse
from turngraph.tools.web.selecting import select
from turngraph.tools.web.template import check_template, render_request

__all__ = ["api_plugin"]

MAX_ERROR: Final = 300
"""Characters of a service's error message that the model reads."""
MIN_SECRET: Final = 6
"""Characters of a secret that is masked in answers. A shorter one would mask ordinary text."""


def api_plugin(manifest: ApiPluginManifest, client: WebClient) -> LoadedPlugin:
    """Returns the plugin of an `ApiPlugin` manifest. Sends nothing.

    Raises TemplateError if the endpoint is not a path below the connection, or if a placeholder is
    not a parameter.
    """
    data = manifest.spec.api_data
    base_url = client.credentials.data.base_url
    check_template(data, base_url)

    async def request(**arguments: object) -> Any:
        rendered = render_request(data, base_url, parameter_values(data.parameters, arguments))
        return _answer(await client.send(rendered), client, data.select, data.limit)

    def request_sync(**arguments: object) -> Any:
        return asyncio.run(request(**arguments))

    name = manifest.metadata.name
    tool = make_tool(
        name,
        data.description,
        parameters_schema(data.parameters),
        request_sync,
        request,
        idempotent=data.repeatable,
    )
    return LoadedPlugin(
        name=name,
        selector=manifest.spec.selector,
        prompt=manifest.spec.prompt,
        tool=tool,
        kind="ApiPlugin",
        connection=manifest.spec.connection,
        test_arguments={value.name: value.value for value in data.test_values},
    )


def _answer(response: WebResponse, client: WebClient, path: str | None, limit: int | None) -> Any:
    """Returns what the model receives, or raises ToolException with what it reads instead."""
    text = clean(response.body.decode("utf-8", "replace"))
    # Some services echo the request. The model, and whoever reads the chat, must not see the key.
    secret = client.credentials.secret()
    if secret is not None and len(secret) >= MIN_SECRET:
        text = text.replace(secret, MASK)
    if response.status >= 400:
        message = one_line(mask_secrets(text))[:MAX_ERROR] if _is_text(response) else ""
        raise ToolException(
            f"The service answered {response.status}{': ' + message if message else '.'}"
        )
    if not text.strip():
        return {"status": response.status}
    if not _is_text(response):
        raise ToolException(
            f"The service answered with {response.content_type}, which is not text."
        )
    value = _parsed(response, text)
    return _limited(select(value, path) if path is not None else value, limit)


def _is_text(response: WebResponse) -> bool:
    kind = response.content_type
    return kind.startswith("text/") or kind.endswith(
        ("json", "xml", "yaml", "javascript", "x-www-form-urlencoded")
    )


def _parsed(response: WebResponse, text: str) -> Any:
    if not response.content_type.endswith("json"):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise ToolException("The service's answer is labeled as JSON, but is not JSON.") from None


def _limited(value: object, limit: int | None) -> Any:
    if limit is None or not isinstance(value, list) or len(value) <= limit:
        return value
    return {"items": value[:limit], "truncated": f"only the first {limit} of {len(value)} items"}
