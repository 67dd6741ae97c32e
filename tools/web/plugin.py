"""An API plugin: a manifest and a web service become a tool."""

import asyncio
import json
from typing import Any, Final

from langchain_core.tools import ToolException

from turngraph.tools.failures import without_secrets
from turngraph.tools.manifests.kinds import ApiPluginManifest
from turngraph.tools.manifests.parameters import schema_of, values_of
from turngraph.tools.output import clean
from turngraph.tools.plugin import LoadedPlugin, make_tool
from turngraph.tools.web.client import Answer, WebClient
from turngraph.tools.web.selecting import select
from turngraph.tools.web.template import check_template, render

__all__ = ["api_plugin"]

SHOWN: Final = 300
"""Characters of what a service said of an error."""


def api_plugin(manifest: ApiPluginManifest, client: WebClient) -> LoadedPlugin:
    """The plugin of an `ApiPlugin` manifest. Nothing is sent yet.

    Raises TemplateError where the endpoint is no path below the connection, or a placeholder no
    parameter.
    """
    data = manifest.spec.api_data
    base_url = client.credentials.data.base_url
    check_template(data, base_url)

    async def ask(**arguments: Any) -> Any:
        request = render(data, base_url, values_of(data.parameters, arguments))
        return _told(await client.send(request), client, data.select, data.limit)

    def ask_sync(**arguments: Any) -> Any:
        return asyncio.run(ask(**arguments))

    tool = make_tool(
        manifest.metadata.name,
        data.description,
        schema_of(data.parameters),
        ask_sync,
        ask,
        idempotent=data.repeatable,
    )
    return LoadedPlugin(
        name=manifest.metadata.name,
        selector=manifest.spec.selector,
        prompt=manifest.spec.prompt,
        tool=tool,
        kind="ApiPlugin",
        connection=manifest.spec.connection,
        test_arguments={value.name: value.value for value in data.test_values},
    )


def _told(answer: Answer, client: WebClient, path: str | None, limit: int | None) -> Any:
    """What the model is told. A service that echoes its caller's key must not pass it on to the
    model.
    """
    secret = client.credentials.secret()
    text = clean(answer.body.decode("utf-8", "replace"))
    if secret is not None and len(secret) >= 6:
        text = text.replace(secret, "***")
    if answer.status >= 400:
        said = " ".join(without_secrets(text).split())[:SHOWN] if _is_text(answer) else ""
        raise ToolException(f"The service answered {answer.status}{': ' + said if said else '.'}")
    if not text.strip():
        return {"status": answer.status}
    if not _is_text(answer):
        raise ToolException(f"The service answered with {answer.content_type}, which is no text.")
    value = _decoded(answer, text)
    return _limited(select(value, path) if path is not None else value, limit)


def _is_text(answer: Answer) -> bool:
    kind = answer.content_type
    return kind.startswith("text/") or kind.endswith(
        ("json", "xml", "yaml", "javascript", "x-www-form-urlencoded")
    )


def _decoded(answer: Answer, text: str) -> Any:
    if not answer.content_type.endswith("json"):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise ToolException("The service's answer says it is JSON, and is not.") from None


def _limited(value: Any, limit: int | None) -> Any:
    if limit is None or not isinstance(value, list) or len(value) <= limit:
        return value
    return {"items": value[:limit], "truncated": f"only the first {limit} of {len(value)} items"}
