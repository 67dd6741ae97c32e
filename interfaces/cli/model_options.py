"""Which model a command asks: the one that options or environment name, else the scripted model."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Final

from cyclopts import Parameter

from turngraph.state.request import Api

if TYPE_CHECKING:
    from turngraph.billing.pricing.prices import Prices
    from turngraph.providers.config import ProviderConfig
    from turngraph.state.limits import TurnLimits

__all__ = [
    "SCRIPTED",
    "ModelOptions",
    "SelectedModel",
    "config_fields",
    "config_from_model_string",
    "open_model",
]

SCRIPTED: Final = "scripted"
SCRIPTED_FUNCTIONS: Final = ("calculator", "date_calculator")
"""Offered to the scripted model by default: without a tool it can only repeat the question."""
FALLBACK_MODEL: Final = "openai:gpt-5-mini"
FALLBACK_VARIABLE: Final = "OPENAI_API_KEY"
"""Where this variable is set and no model is named, FALLBACK_MODEL is asked."""
MODEL_VARIABLE: Final = "TURNGRAPH_MODEL"


@Parameter(name="*")
@dataclass(frozen=True)
class ModelOptions:
    """The options that `run`, `chat` and `step` share."""

    model: Annotated[
        str | None,
        Parameter(
            name=("--model", "-m"),
            help="The model, as vendor:model; its name alone beside --provider or --base-url. "
            f"Default: ${MODEL_VARIABLE}, else {FALLBACK_MODEL} if {FALLBACK_VARIABLE} is set, "
            "else the scripted model.",
        ),
    ] = None
    provider: Annotated[
        str | None,
        Parameter(
            name=("--provider", "-p"),
            help="The vendor: a name that `turngraph vendors` lists, or `scripted`.",
        ),
    ] = None
    base_url: Annotated[
        str | None,
        Parameter(
            help="The URL of any other OpenAI-compatible API, for example http://localhost:8000/v1."
        ),
    ] = None
    key_env: Annotated[
        str | None,
        Parameter(
            help="The environment variable that holds the API key. Default: the vendor's own."
        ),
    ] = None
    api: Annotated[
        Api | None,
        Parameter(help="Chat Completions or Responses. Default: what suits vendor and model."),
    ] = None
    function: Annotated[
        tuple[str, ...],
        Parameter(
            name=("--function", "-f"),
            negative="",
            help="A built-in tool to offer, for example calculator. May be given several times.",
        ),
    ] = ()
    system: Annotated[str | None, Parameter(help="The system message.")] = None
    temperature: Annotated[
        float | None, Parameter(help="The temperature, from 0 to 2. Default: the vendor's.")
    ] = None
    max_tokens: Annotated[
        int | None, Parameter(help="The most tokens that one answer may have. Default: no limit.")
    ] = None
    reasoning_effort: Annotated[
        str | None,
        Parameter(help="low, medium, high, or what else the model has. Default: the vendor's."),
    ] = None
    timeout: Annotated[
        float | None, Parameter(help="The seconds that the whole turn may take. Default: no limit.")
    ] = None


@dataclass(frozen=True)
class SelectedModel:
    """A model that can be asked now."""

    config: "ProviderConfig"
    prices: "Prices"
    limits: "TurnLimits"
    functions: tuple[str, ...]
    scripted_reason: str | None = None
    """Why the scripted model answers; None for a real model."""

    @property
    def name(self) -> str:
        """The name to show: `vendor:model`, or `scripted`."""
        if self.scripted_reason is not None:
            return SCRIPTED
        return f"{self.config.vendor}:{self.config.model}"


@contextmanager
def open_model(options: ModelOptions, environ: Mapping[str, str]) -> Iterator[SelectedModel]:
    """Yields the model that `options` and `environ` name.

    The scripted model runs until the context ends. Raises TurnConfigurationError for an unknown
    vendor, a missing key, or an option out of range.

    >>> with open_model(ModelOptions(), {}) as model:
    ...     model.scripted_reason
    'no model was named and OPENAI_API_KEY is not set'
    """
    from turngraph.billing.pricing.prices import Prices

    limits = _limits(options)
    reason = _scripted_reason(options, environ)
    if reason is None:
        yield SelectedModel(_real_config(options, environ), Prices(), limits, options.function)
        return
    from turngraph.scripted import ScriptedModel

    with ScriptedModel() as server:
        fields = {**config_fields(options), "base_url": server.base_url, "proxy": ""}
        config = config_from_model_string(f"custom:{SCRIPTED}", environ, fields)
        functions = options.function or SCRIPTED_FUNCTIONS
        yield SelectedModel(config, _scripted_prices(), limits, functions, reason)


def _scripted_reason(options: ModelOptions, environ: Mapping[str, str]) -> str | None:
    """Returns why the scripted model answers, or None where a real model is named."""
    if SCRIPTED in (options.provider, options.model):
        return "you asked for it"
    if options.model or options.provider or options.base_url or environ.get(MODEL_VARIABLE):
        return None
    if environ.get(FALLBACK_VARIABLE):
        return None
    return f"no model was named and {FALLBACK_VARIABLE} is not set"


def _real_config(options: ModelOptions, environ: Mapping[str, str]) -> "ProviderConfig":
    from turngraph.state.errors import TurnConfigurationError

    vendor_given = options.provider is not None or options.base_url is not None
    fallback = "" if vendor_given else FALLBACK_MODEL
    name = options.model or environ.get(MODEL_VARIABLE) or fallback
    if not name:
        raise TurnConfigurationError("No model was named. Add --model NAME.")
    # Beside a vendor or an endpoint the whole name is the model's, also where it has a colon:
    # `llama3.2:3b` is a model, not a vendor and a model.
    vendor = options.provider or _vendor_at(options.base_url)
    model = name if vendor is None else f"{vendor}:{name}"
    fields = {**config_fields(options), **_api_key(options, environ)}
    if options.base_url is not None:
        fields["base_url"] = options.base_url
    return config_from_model_string(model, environ, fields)


def _limits(options: ModelOptions) -> "TurnLimits":
    from turngraph.state.limits import TurnLimits

    with _translate_validation():
        return TurnLimits(seconds=options.timeout)


def _vendor_at(base_url: str | None) -> str | None:
    from turngraph.providers.vendors.profiles import vendor_of_url

    if base_url is None:
        return None
    profile = vendor_of_url(base_url)
    return "custom" if profile is None else profile.name


def _api_key(options: ModelOptions, environ: Mapping[str, str]) -> dict[str, str]:
    from turngraph.state.errors import TurnConfigurationError

    if options.key_env is None:
        return {}
    if not environ.get(options.key_env):
        raise TurnConfigurationError(
            f"--key-env names `{options.key_env}`, but that environment variable is not set."
        )
    return {"api_key": environ[options.key_env]}


def config_fields(options: ModelOptions) -> dict[str, Any]:
    """Returns the fields of a ProviderConfig that options set, without those left out."""
    names = ("api", "temperature", "max_tokens", "reasoning_effort")
    values = {name: getattr(options, name) for name in names}
    return {name: value for name, value in values.items() if value is not None}


def config_from_model_string(
    model: str, environ: Mapping[str, str], fields: Mapping[str, object]
) -> "ProviderConfig":
    """Returns the configuration for `vendor:model`.

    Raises TurnConfigurationError that names the option, as in `--temperature is 3.0: …`.
    """
    from turngraph.providers.config import ProviderConfig

    with _translate_validation():
        return ProviderConfig.from_model_string(model, environ=environ, **fields)


@contextmanager
def _translate_validation() -> Iterator[None]:
    """Turns a ValidationError of pydantic into one sentence that names the option."""
    from pydantic import ValidationError

    from turngraph.state.errors import TurnConfigurationError

    try:
        yield
    except ValidationError as exc:
        problem = exc.errors(include_url=False)[0]
        message = f"{problem['msg']}."
        if problem["loc"]:
            field = str(problem["loc"][0])
            option = _OPTION_OF_FIELD.get(field, field).replace("_", "-")
            message = f"--{option} is {problem['input']!r}: {message}"
        raise TurnConfigurationError(message) from exc


_OPTION_OF_FIELD: Final[Mapping[str, str]] = {"seconds": "timeout"}
"""Options whose name differs from the field that they set."""


def _scripted_prices() -> "Prices":
    """The scripted model costs nothing, which is not the same as having no price."""
    from turngraph.billing.pricing.overrides import PriceOverride
    from turngraph.billing.pricing.prices import Prices
    from turngraph.billing.pricing.rates import Rate, Rates

    free = Rate(usd_per_mtok=Decimal(0))
    rates = Rates(input=free, output=free)
    return Prices(overrides=(PriceOverride(vendor="custom", model=SCRIPTED, rates=rates),))
