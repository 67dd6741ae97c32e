"""The arguments of `chat_turn`: each in any of the forms it may be given, as what a turn needs.

Everything here raises TurnConfigurationError, naming what was given and what is allowed, before
anything is sent.
"""

import logging
import weakref
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from inspect import iscoroutinefunction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from turngraph.billing.pricing.overrides import PriceOverride
from turngraph.billing.pricing.prices import Prices
from turngraph.billing.pricing.rates import Rate, Rates
from turngraph.nodes.support.dependencies import Approve
from turngraph.providers.config import ProviderConfig
from turngraph.providers.langchain.from_chat_model import is_chat_model
from turngraph.providers.openai_provider import OpenAIProvider
from turngraph.providers.wire.http_transport import HttpTransport
from turngraph.state.argument_kinds import Kind, check_kinds, has_text_keys, list_of
from turngraph.state.errors import TurnConfigurationError
from turngraph.state.quoting import quoted
from turngraph.tools.text import backticked
from turngraph.tools.toolbox import Toolbox

if TYPE_CHECKING:
    from langchain_openai.chat_models.base import BaseChatOpenAI

    from turngraph.billing.ledger import Ledger

__all__ = [
    "SCRIPTED",
    "ModelPrices",
    "approval_from",
    "check_marks",
    "ledger_from",
    "prices_from",
    "provider_from",
    "split_vendor_tools",
]

ModelPrices = Mapping[str, Mapping[str, "Decimal | str | float"]]
"""Prices by model: `{"openai:gpt-5-mini": {"input": "0.25", "output": "2"}}`, in USD per million
tokens of each class (`input`, `cached`, `cache_write`, `output`, `reasoning`, `audio_input`,
`audio_output`), and `usd_per_request`. A model's name may hold `*`.
"""

_log: Final = logging.getLogger("turngraph")
_VENDOR_TOOLS: Final = Kind(
    list_of(has_text_keys),
    "a list whose objects have names that are texts: `{'type': 'web_search'}`",
)
_FREE: Final = {"input": 0, "output": 0}
SCRIPTED: Final = "scripted"
"""The model string that names the scripted model: a server on this machine, without a key."""


def provider_from(
    model: "str | ProviderConfig | OpenAIProvider | BaseChatOpenAI", environ: Mapping[str, str]
) -> OpenAIProvider:
    """The provider that `model` names or is. Keys are read from `environ`.

    `"scripted"` starts a scripted model of its own, which ends with the provider's connections.

    Raises TurnConfigurationError for any other kind of value, an unknown vendor or a missing key.
    """
    if isinstance(model, OpenAIProvider):
        return model
    if isinstance(model, ProviderConfig):
        return OpenAIProvider(model)
    if model == SCRIPTED:
        return _scripted_provider()
    if isinstance(model, str):
        return OpenAIProvider(ProviderConfig.from_model_string(model, environ=environ))
    if is_chat_model(model):
        return OpenAIProvider.from_chat_model(model)
    raise TurnConfigurationError(
        f"`model` is a {type(model).__name__}. Allowed: 'vendor:model', 'scripted', "
        "a ProviderConfig, an OpenAIProvider, or a LangChain ChatOpenAI itself. What `bind`, "
        "`bind_tools` or `with_…` put around one does not reach a turn: give tools as `tools`, and "
        "other members of the request to the ChatOpenAI or as settings."
    )


def _scripted_provider() -> OpenAIProvider:
    from turngraph.scripted.server import ScriptedModel

    server = ScriptedModel().start()
    config = ProviderConfig(base_url=server.base_url, model=SCRIPTED, proxy="")
    # Providers that are made from this one share its transport, so they keep the server alive.
    transport = HttpTransport(config)
    weakref.finalize(transport, server.close)
    return OpenAIProvider(config, transport=transport)


def check_marks(toolbox: Toolbox, turn: str, *, required: bool) -> None:
    """Names the tools of which a ledger cannot know whether they may run twice, and their turn.

    Where a worker is killed in the middle of a call, the turn that goes on runs it again, unless
    the tool is marked `idempotent: False`. Raises TurnConfigurationError if marks are `required`.
    """
    if not toolbox.unmarked:
        return
    message = (
        f"Turn `{turn}`: no mark says whether {backticked(toolbox.unmarked)} may run twice. A call "
        "that a killed worker left unfinished is run again. Mark each tool with the metadata "
        "`{'idempotent': True}`, or `False` where a second run would do harm; a plain function as "
        "`StructuredTool.from_function(function, metadata={'idempotent': True})`."
    )
    if required:
        raise TurnConfigurationError(message)
    _log.warning("%s", message)


def split_vendor_tools(tools: Sequence[Any]) -> tuple[list[Any], list[Mapping[str, Any]]]:
    """Returns the tools that run here, and those that the vendor runs itself.

    Raises TurnConfigurationError for a function that is only described: nothing could run it.

        >>> split_vendor_tools([len, {"type": "web_search"}])
        ([<built-in function len>], [{'type': 'web_search'}])
    """
    at_vendor = [tool for tool in tools if isinstance(tool, Mapping)]
    check_kinds({"tools": _VENDOR_TOOLS}, {"tools": at_vendor})
    for tool in at_vendor:
        if tool.get("type") in ("function", "custom") or "parameters" in tool:
            function = tool.get("function", tool)
            name = function.get("name") if isinstance(function, Mapping) else None
            raise TurnConfigurationError(
                f"The tool `{quoted(name)}` is described as JSON, and nothing can run it here. "
                "Pass the function itself."
            )
    return [tool for tool in tools if not isinstance(tool, Mapping)], at_vendor


def ledger_from(ledger: "Ledger | str | None") -> "Ledger | None":
    """The ledger itself, or the one at a URL such as `sqlite:///turns.db`.

    Raises LedgerError for a URL of no database that a ledger can be kept in.
    """
    if ledger is None:
        return None
    from turngraph.billing.ledger import Ledger  # loads SQLAlchemy

    if isinstance(ledger, Ledger):
        return ledger
    if isinstance(ledger, str):
        return Ledger(ledger)
    raise TurnConfigurationError(
        f"`ledger` is a {type(ledger).__name__}. Allowed: a Ledger, or the URL of one, "
        "such as `ledger='sqlite:///turns.db'`."
    )


def prices_from(
    prices: "Prices | ModelPrices | str | Path | None", *, scripted: bool = False
) -> Prices:
    """The prices a turn is charged by: list prices, and before those the ones given.

    The scripted model that `chat_turn("scripted")` starts costs nothing, unless a price is given.

    >>> prices = prices_from({"berget:llama-*": {"input": "0.3", "output": "0.9"}})
    >>> prices.overrides[0].rates.output.usd_per_mtok
    Decimal('0.9')

    Raises TurnConfigurationError for a file that cannot be read, or a price that is none.
    """
    if prices is None:
        return prices_from({f"custom:{SCRIPTED}": _FREE}) if scripted else Prices()
    if isinstance(prices, Prices):
        return prices
    if isinstance(prices, str | Path):
        return Prices.load(prices)
    if isinstance(prices, Mapping):
        return Prices(overrides=tuple(_override(*item) for item in prices.items()))
    raise TurnConfigurationError(
        f"`prices` is a {type(prices).__name__}. Allowed: Prices, the path of a price file, or "
        "USD per million tokens by model: {'openai:gpt-5-mini': {'input': '0.25', 'output': '2'}}."
    )


def _override(name: object, rates: object) -> PriceOverride:
    vendor, colon, model = quoted(name, 500).partition(":")
    if not (colon and vendor and model) or not isinstance(rates, Mapping):
        raise TurnConfigurationError(
            f"`prices` has no price for `{quoted(name)}`. Write 'vendor:model' and its rates in "
            "USD per million tokens: {'openai:gpt-5-mini': {'input': '0.25', 'output': '2'}}."
        )
    try:
        fields = {
            key: value
            if key == "usd_per_request" or isinstance(value, Rate)
            else Rate.model_validate({"usd_per_mtok": _exact(value)})
            for key, value in rates.items()
        }
        return PriceOverride(vendor=vendor, model=model, rates=Rates.model_validate(fields))
    except ValidationError as exc:
        problem = exc.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in problem["loc"])
        raise TurnConfigurationError(
            f"`prices['{name}']`, {where}: {problem['msg']}. "
            f"Allowed: {', '.join(Rates.model_fields)}, each a number of USD of at least 0."
        ) from exc


def _exact(value: object) -> object:
    """A float as it was written, so that 0.1 is a tenth: as a binary fraction it would not be."""
    return repr(value) if isinstance(value, float) else value


def approval_from(approve: "bool | Collection[str] | Approve", toolbox: Toolbox) -> Approve:
    """The function that says whether a person must agree to a call."""
    if callable(approve):
        if iscoroutinefunction(approve):
            raise TurnConfigurationError(
                "`approve` is an async function, whose answer nobody would wait for. Give a "
                "function that returns True or False."
            )
        return approve
    if isinstance(approve, bool):
        return lambda call: approve
    names = {approve} if isinstance(approve, str) else set(approve)
    unknown = sorted(name for name in names if name not in toolbox)
    if unknown:
        offered = ", ".join(f"`{tool.name}`" for tool in toolbox) or "none"
        raise TurnConfigurationError(
            f"`approve` names `{unknown[0]}`, which is no tool of this turn. Tools: {offered}."
        )
    return lambda call: call.name in names
