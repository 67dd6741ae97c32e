"""The option `--client`: model, settings, plugins and functions from an LLMClient manifest."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from turngraph.interfaces.cli.model_options import (
    ModelOptions,
    SelectedModel,
    config_fields,
    open_model,
)

if TYPE_CHECKING:
    from turngraph.tools.manifests.loading import Manifests
    from turngraph.tools.plugin import Plugin

__all__ = ["SelectedClient", "open_client"]


class SelectedClient(NamedTuple):
    """The model that a command asks, its options, and the plugins it offers."""

    model: SelectedModel
    options: ModelOptions
    plugins: "tuple[Plugin, ...]"


@contextmanager
def open_client(
    file: Path | None,
    options: ModelOptions,
    environ: Mapping[str, str],
    allow_hosts: Collection[str] = (),
) -> Iterator[SelectedClient]:
    """Yields the model and plugins of the client that `file` describes.

    Options that were typed replace what the manifest says. Without a file, the options alone choose
    the model. The plugins of a client may stand in other files of its folder. Raises
    TurnConfigurationError; for a wrong manifest, ManifestError, which is one.
    """
    if file is None:
        with open_model(options, environ) as model:
            yield SelectedClient(model, options, ())
        return
    manifests, name = _load(file, allow_hosts)
    try:
        with _open_client_model(manifests, name, options, environ) as (model, merged):
            yield SelectedClient(model, merged, manifests.of_client(name).plugins)
    finally:
        manifests.close()


def _load(file: Path, allow_hosts: Collection[str]) -> "tuple[Manifests, str]":
    """Loads all manifests in the folder of `file`; returns them and the name of its client."""
    from turngraph.state.errors import TurnConfigurationError
    from turngraph.tools.manifests.loading import load_manifests
    from turngraph.tools.manifests.reading import ManifestReader
    from turngraph.tools.manifests.sources import read_sources

    if not file.is_file():
        raise TurnConfigurationError(f"--client: there is no file `{file}`.")
    reader = ManifestReader()
    for source in read_sources(file):
        reader.read(source)
    clients = [one.name for one in reader.manifests if one.manifest.kind == "LLMClient"]
    # Where the file has problems, `load_manifests` reports them all, which helps more.
    if len(clients) != 1 and not reader.problems:
        raise TurnConfigurationError(
            f"--client: `{file}` describes {len(clients)} clients; it must describe one LLMClient."
        )
    manifests = load_manifests(file.parent, allow_hosts=allow_hosts)
    return manifests, clients[0]


@contextmanager
def _open_client_model(
    manifests: "Manifests", name: str, options: ModelOptions, environ: Mapping[str, str]
) -> Iterator[tuple[SelectedModel, ModelOptions]]:
    merged = _merge(options, manifests, name)
    if options.model or options.provider or options.base_url:
        with open_model(merged, environ) as model:
            yield model, merged
        return
    from turngraph.billing.pricing.prices import Prices
    from turngraph.graphs.from_manifest import client_config
    from turngraph.state.limits import TurnLimits

    config = client_config(manifests, name, environ=environ).replaced(**config_fields(merged))
    limits = TurnLimits(seconds=options.timeout)
    yield SelectedModel(config, Prices(), limits, merged.function), merged


def _merge(options: ModelOptions, manifests: "Manifests", name: str) -> ModelOptions:
    """Returns the options, with the values of the client where nothing was typed."""
    client = manifests.clients[name].spec
    defaults = client.config
    system, temperature, max_tokens = options.system, options.temperature, options.max_tokens
    # `is None`, because a temperature of 0 was typed on purpose.
    return replace(
        options,
        function=options.function or tuple(client.functions),
        system=defaults.default_system_role if system is None else system,
        temperature=defaults.default_temperature if temperature is None else temperature,
        max_tokens=defaults.default_max_tokens if max_tokens is None else max_tokens,
    )
