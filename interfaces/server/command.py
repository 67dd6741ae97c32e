"""Starts the server: in this process, or in several."""

import asyncio
import json
import os
import socket
from collections.abc import Mapping, MutableMapping
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from fastapi import FastAPI

from turngraph.interfaces.listening import bound_socket
from turngraph.interfaces.server.app import create_app
from turngraph.interfaces.server.config import (
    ServerConfig,
    StoreSettings,
    checked_config,
    read_config,
)
from turngraph.interfaces.server.local_caller import check_reach
from turngraph.interfaces.server.logs import log_to, warnings_kept
from turngraph.interfaces.server.metrics import MULTIPROCESS
from turngraph.interfaces.server.passthrough.vendor import PassthroughVendor
from turngraph.interfaces.server.served_models import build_models
from turngraph.interfaces.server.store import check_database, open_store
from turngraph.interfaces.server.uvicorn_server import graceful_s, run_here, say_started
from turngraph.interfaces.server.workers import Workers
from turngraph.state.errors import TurnConfigurationError

__all__ = ["app_of_process", "checked", "config_from", "notice", "schema_text", "serve"]

DEFAULT_FILE: Final = "turngraph.toml"
_SOURCE: Final = "TURNGRAPH_SERVE"
"""The variable in which a process finds what it serves: a source and changes to it, as JSON."""


def config_from(source: str | None, changes: Mapping[str, Mapping[str, Any]]) -> ServerConfig:
    """The configuration that `source` names, with `changes` to its tables.

    Args:
        source: a TOML file; a graph, as in `agent.py:app`; or None, for `turngraph.toml` where
            there is one, else the scripted model.
        changes: members by table, as in `{"server": {"port": 9000}}`.

    Raises TurnConfigurationError that says what is wrong.
    """
    config = _read(source)
    if not any(changes.values()):
        return config
    content = config.model_dump(exclude_unset=True)
    for table, members in changes.items():
        content[table] = {**content.get(table, {}), **members}
    file = source or (DEFAULT_FILE if Path(DEFAULT_FILE).is_file() else None)
    return checked_config(content, f"`{file}` with the options" if file else "The options")


def _read(source: str | None) -> ServerConfig:
    if source is None:
        file = Path(DEFAULT_FILE)
        return read_config(file) if file.is_file() else ServerConfig()
    if source.endswith(".toml"):
        return read_config(Path(source))
    if ":" in source or source.endswith(".py"):
        name = Path(source.partition(":")[0]).stem
        return checked_config({"models": {name: {"graph": source}}}, f"`{source}`")
    raise TurnConfigurationError(
        f"`{source}` is neither a configuration (`turngraph.toml`) nor a graph (`agent.py:app`)."
    )


def schema_text() -> str:
    """The JSON schema of a configuration."""
    return json.dumps(ServerConfig.model_json_schema(), indent=2, ensure_ascii=False)


def notice(source: str | None) -> str | None:
    """What a person should know before the scripted model is served; None for other models."""
    if source is not None or Path(DEFAULT_FILE).is_file():
        return None
    return (
        f"There is no {DEFAULT_FILE} here, so the scripted model is served, which needs no key and "
        "knows nothing. Name a configuration, or a graph: turngraph serve agent.py:app"
    )


def checked(
    source: str | None,
    changes: Mapping[str, Mapping[str, Any]],
    environ: MutableMapping[str, str],
) -> str:
    """Builds all that `source` names, and returns a sentence about it, and below it one about each
    thing that a person should look at. Serves nothing.

    The database is not opened. Raises TurnConfigurationError that says what is wrong.
    """
    config = config_from(source, changes)
    create_app(config, environ=environ)
    check_database(config.store)
    with warnings_kept() as warnings:
        names = asyncio.run(_built(config, StoreSettings(), environ))
    models = "1 model" if len(names) == 1 else f"{len(names)} models"
    default = DEFAULT_FILE if Path(DEFAULT_FILE).is_file() else "Without a configuration"
    can = f"{source or default}: {models} can be served: {', '.join(names)}."
    return "\n".join((can, *(f"Warning: {each}" for each in warnings)))


async def _built(
    config: ServerConfig, store: StoreSettings, environ: MutableMapping[str, str]
) -> list[str]:
    async with open_store(store) as opened:
        models = await build_models(config, opened, Path(), environ)
        try:
            for name, settings in config.passthrough.items():
                await PassthroughVendor(name, settings, environ).aclose()
        finally:
            await models.aclose()
        return list(models.models)


def serve(source: str | None, changes: Mapping[str, Mapping[str, Any]]) -> None:
    """Serves until a signal ends it. Raises TurngraphError before anything is served."""
    config = config_from(source, changes)
    check_reach(config)
    os.environ[_SOURCE] = json.dumps({"source": source, "changes": changes})
    log_to()
    options: dict[str, Any] = {
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "timeout_graceful_shutdown": graceful_s(config.server.drain_seconds),
        "lifespan": "on",
    }
    with bound_socket(config.server.host, config.server.port) as sock:
        if config.server.workers == 1:
            run_here(app_of_process(), options, sock, on_started=partial(say_started, sock))
        else:
            _serve_in_workers(config, options, sock)


def _serve_in_workers(
    config: ServerConfig, options: Mapping[str, Any], sock: socket.socket
) -> None:
    # What no worker can build ends the server here, before there are any.
    names = asyncio.run(_built(config, config.store, os.environ))
    say_started(sock, names)
    with TemporaryDirectory(prefix="turngraph-metrics-") as folder:
        os.environ.setdefault(MULTIPROCESS, folder)
        Workers(config.server.workers, app_of_process, options, sock).run()


def app_of_process() -> FastAPI:
    """The application of this process, from what its environment says."""
    given = json.loads(os.environ[_SOURCE])
    log_to()

    def reread() -> ServerConfig:
        return config_from(given["source"], given["changes"])

    return create_app(reread(), reread=reread)
