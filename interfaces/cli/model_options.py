"""Which model a command asks, as the options and the environment say; the scripted one where
neither says.
"""

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

__all__ = ["SCRIPTED", "Model", "ModelOptions", "checked_config", "chosen_model"]

SCRIPTED: Final = "scripted"
SCRIPTED_FUNCTIONS: Final = ("calculator", "date_calculator")
"""What the scripted model is given where nothing was asked for: without a tool it can only repeat
the question.
"""
FALLBACK: Final = ("OPENAI_API_KEY", "openai:gpt-5-mini")
MODEL_VARIABLE: Final = "TURNGRAPH_MODEL"


@Parameter(name="*")
@dataclass(frozen=True)
class ModelOptions:
    """The options that `run` and `chat` share."""

    model: Annotated[
        str | None,
        Parameter(
            name=("--model", "-m"),
            help="`vendor:model`; with --provider or --base-url the model alone.",
        ),
    ] = None
    provider: Annotated[
        str | None,
        Parameter(
            name=("--provider", "-p"), help="A vendor of `turngraph vendors`, or `scripted`."
        ),
    ] = None
    base_url: Annotated[
        str | None, Parameter(help="Any OpenAI-compatible endpoint, up to `/v1`.")
    ] = None
    key_env: Annotated[
        str | None,
        Parameter(help="The environment variable that holds the key, if not the vendor's own."),
    ] = None
    api: Annotated[
        Api | None,
        Parameter(help="Chat Completions or Responses; chosen by a table if absent."),
    ] = None
    function: Annotated[
        tuple[str, ...],
        Parameter(
            name=("--function", "-f"),
            negative="",
            help="A built-in tool to offer; may be given several times.",
        ),
    ] = ()
    system: Annotated[str | None, Parameter(help="The system message.")] = None
    temperature: Annotated[
        float | None, Parameter(help="0 to 2; the vendor's default if absent.")
    ] = None
    max_tokens: Annotated[int | None, Parameter(help="Cap on the tokens of an answer.")] = None
    reasoning_effort: Annotated[
        str | None, Parameter(help="As far as the model knows it: low, medium, high, …")
    ] = None
    timeout: Annotated[float | None, Parameter(help="Seconds the whole turn may take.")] = None


@dataclass(frozen=True)
class Model:
    """A model that can be asked now."""

    config: "ProviderConfig"
    prices: "Prices"
    limits: "TurnLimits"
    functions: tuple[str, ...]
    scripted_because: str | None = None
    """Why the scripted model answers; `None` where a real one does."""

    @property
    def name(self) -> str:
        """`vendor:model`, as it is shown."""
        return (
            SCRIPTED
            if self.scripted_because is not None
            else f"{self.config.vendor}:{self.config.model}"
        )


@contextmanager
def chosen_model(options: ModelOptions, environ: Mapping[str, str]) -> Iterator[Model]:
    """The model that `options` and `environ` choose. The scripted one serves as long as the context
    is open.

    Raises TurnConfigurationError for an unknown vendor, a missing key, an option out of range.

        >>> with chosen_model(ModelOptions(), {}) as model:
        ...     model.scripted_because
        'no model was named and OPENAI_API_KEY is not set'
    """
    from turngraph.billing.pricing.prices import Prices

    limits = _limits(options)
    because = _scripted_because(options, environ)
    if because is None:
        yield Model(_configured(options, environ), Prices(), limits, options.function)
        return
    from turngraph.scripted import ScriptedModel

    with ScriptedModel() as server:
        fields = {**_asked(options), "base_url": server.base_url}
        config = checked_config(f"custom:{SCRIPTED}", environ, fields)
        yield Model(config, _free(), limits, options.function or SCRIPTED_FUNCTIONS, because)


def _scripted_because(options: ModelOptions, environ: Mapping[str, str]) -> str | None:
    if SCRIPTED in (options.provider, options.model):
        return "it was asked for"
    if options.model or options.provider or options.base_url or environ.get(MODEL_VARIABLE):
        return None
    return None if environ.get(FALLBACK[0]) else f"no model was named and {FALLBACK[0]} is not set"


def _configured(options: ModelOptions, environ: Mapping[str, str]) -> "ProviderConfig":
    """A real model. Beside a provider or an endpoint, the model's name is the vendor's own, colons
    and all.
    """
    from turngraph.state.errors import TurnConfigurationError

    named = options.provider is not None or options.base_url is not None
    name = options.model or environ.get(MODEL_VARIABLE) or ("" if named else FALLBACK[1])
    if not name:
        raise TurnConfigurationError("Say which model to ask: --model NAME.")
    vendor = options.provider or _vendor_at(options.base_url)
    fields = {**_asked(options), **_key(options, environ)}
    if options.base_url is not None:
        fields["base_url"] = options.base_url
    return checked_config(name if vendor is None else f"{vendor}:{name}", environ, fields)


def _limits(options: ModelOptions) -> "TurnLimits":
    from turngraph.state.limits import TurnLimits

    with _in_one_sentence():
        return TurnLimits(seconds=options.timeout)


def _vendor_at(base_url: str | None) -> str | None:
    from turngraph.providers.vendors.profiles import vendor_of_url

    if base_url is None:
        return None
    profile = vendor_of_url(base_url)
    return "custom" if profile is None else profile.name


def _key(options: ModelOptions, environ: Mapping[str, str]) -> dict[str, str]:
    from turngraph.state.errors import TurnConfigurationError

    if options.key_env is None:
        return {}
    if not environ.get(options.key_env):
        raise TurnConfigurationError(
            f"--key-env names `{options.key_env}`, which the environment does not have."
        )
    return {"api_key": environ[options.key_env]}


def _asked(options: ModelOptions) -> dict[str, Any]:
    """The fields of a configuration that were asked for."""
    names = ("api", "temperature", "max_tokens", "reasoning_effort")
    wished = {name: getattr(options, name) for name in names}
    return {name: value for name, value in wished.items() if value is not None}


def checked_config(
    model: str, environ: Mapping[str, str], fields: Mapping[str, Any]
) -> "ProviderConfig":
    """The configuration of `vendor:model`. Raises TurnConfigurationError in the option's own name."""
    from turngraph.providers.config import ProviderConfig

    with _in_one_sentence():
        return ProviderConfig.from_model_string(model, environ=environ, **fields)


@contextmanager
def _in_one_sentence() -> Iterator[None]:
    """What pydantic refuses, said in the option's own name."""
    from pydantic import ValidationError

    from turngraph.state.errors import TurnConfigurationError

    try:
        yield
    except ValidationError as exc:
        problem = exc.errors(include_url=False)[0]
        field = str(problem["loc"][0]) if problem["loc"] else ""
        option = (
            f"--{_OPTIONS.get(field, field).replace('_', '-')} is {problem['input']!r}: "
            if field
            else ""
        )
        raise TurnConfigurationError(f"{option}{problem['msg']}.") from exc


_OPTIONS: Final[Mapping[str, str]] = {"seconds": "timeout"}
"""Options that are called otherwise than the field they set."""


def _free() -> "Prices":
    """The scripted model costs nothing, which is not the same as having no price."""
    from turngraph.billing.pricing.overrides import PriceOverride
    from turngraph.billing.pricing.prices import Prices
    from turngraph.billing.pricing.rates import Rate, Rates

    nothing = Rate(usd_per_mtok=Decimal(0))
    return Prices(
        overrides=(
            PriceOverride(
                vendor="custom", model=SCRIPTED, rates=Rates(input=nothing, output=nothing)
            ),
        )
    )
