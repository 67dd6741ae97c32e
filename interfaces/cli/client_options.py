"""`--client`: the model, settings, plugins and functions of an `LLMClient` manifest, under what was
typed beside it.
"""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from turngraph.interfaces.cli.model_options import Model, ModelOptions, chosen_model

if TYPE_CHECKING:
    from turngraph.tools.manifests.loading import Manifests
    from turngraph.tools.plugin import Plugin

__all__ = ["Chosen", "chosen_client"]


class Chosen(NamedTuple):
    """What a command asks, and with what."""

    model: Model
    options: ModelOptions
    plugins: "tuple[Plugin, ...]"


@contextmanager
def chosen_client(
    file: Path | None,
    options: ModelOptions,
    environ: Mapping[str, str],
    allow_hosts: Collection[str] = (),
) -> Iterator[Chosen]:
    """The model and plugins that the client in `file` describes; without a file, those of the
    options alone.

    A model, provider, system message, temperature or cap that was typed wins. The plugins a client
    names may stand in other files of its folder. Raises TurnConfigurationError, ManifestError among
    them.
    """
    if file is None:
        with chosen_model(options, environ) as model:
            yield Chosen(model, options, ())
        return
    manifests, name = _loaded(file, allow_hosts)
    try:
        with _model(manifests, name, options, environ) as (model, merged):
            yield Chosen(model, merged, manifests.of_client(name).plugins)
    finally:
        manifests.close()


def _loaded(file: Path, allow_hosts: Collection[str]) -> "tuple[Manifests, str]":
    from turngraph.state.errors import TurnConfigurationError
    from turngraph.tools.manifests.loading import load_manifests
    from turngraph.tools.manifests.reading import ManifestReader, read_sources

    if not file.is_file():
        raise TurnConfigurationError(f"--client: there is no file `{file}`.")
    reading = ManifestReader()
    for source in read_sources(file):
        reading.read(source)
    clients = [one.name for one in reading.manifests if one.manifest.kind == "LLMClient"]
    if len(clients) != 1 and not reading.problems:
        raise TurnConfigurationError(
            f"--client: `{file}` describes {len(clients)} clients; it must be one."
        )
    manifests = load_manifests(file.parent, allow_hosts=allow_hosts)
    return manifests, clients[0]


@contextmanager
def _model(
    manifests: "Manifests", name: str, options: ModelOptions, environ: Mapping[str, str]
) -> Iterator[tuple[Model, ModelOptions]]:
    client = manifests.clients[name].spec
    merged = replace(
        options,
        function=options.function or tuple(client.functions),
        system=options.system if options.system is not None else client.config.default_system_role,
        temperature=options.temperature
        if options.temperature is not None
        else client.config.default_temperature,
        max_tokens=options.max_tokens
        if options.max_tokens is not None
        else client.config.default_max_tokens,
    )
    if options.model or options.provider or options.base_url:
        with chosen_model(merged, environ) as model:
            yield model, merged
        return
    from turngraph.billing.pricing.prices import Prices
    from turngraph.graphs.from_manifest import client_config
    from turngraph.state.limits import TurnLimits

    config = client_config(manifests, name, environ=environ)
    names = ("api", "temperature", "max_tokens", "reasoning_effort")
    typed = {field: value for field in names if (value := getattr(merged, field)) is not None}
    config = config.replace(**typed)
    yield Model(config, Prices(), TurnLimits(seconds=options.timeout), merged.function), merged
