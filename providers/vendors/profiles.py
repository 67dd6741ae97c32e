"""The table of vendors: what each vendor of the OpenAI API has and does differently.

The rows are data, in `vendors.yaml`; here they are read and looked up. To add a vendor, add a row,
there or with `register_vendor`.
"""

import difflib
import re
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import ValidationError

from turngraph.providers.vendors.quirks import ModelRule, Quirks
from turngraph.state.base import Frozen
from turngraph.state.errors import TurnConfigurationError
from turngraph.state.json_types import JsonObject
from turngraph.state.request import Api

__all__ = [
    "VENDORS",
    "ModelRule",
    "Quirks",
    "VendorProfile",
    "find_vendor",
    "is_vendor",
    "register_vendor",
    "vendor_of_url",
]

_NAME: Final = re.compile(r"[a-z][a-z0-9_-]*")
_ADDED: Final = ("drop", "drop_with_reasoning", "schema_drop")
"""Quirks that a model's rule adds to, where all others are replaced."""


class VendorProfile(Frozen):
    """One vendor: a row of `vendors.yaml`.

    >>> VENDORS["groq"].key_env, VENDORS["groq"].responses
    (('GROQ_API_KEY',), 'stateless')
    """

    name: str
    """The vendor's name in `vendor:model` strings."""
    base_url: str | None = None
    """Its endpoint, without a slash at the end. `None` if each account has its own."""
    base_url_pattern: str | None = None
    """For such vendors: what an account's endpoint looks like, for error messages."""
    key_env: tuple[str, ...] = ()
    """The environment variables that may hold its key, the first one first. Empty: it needs none.
    """
    aliases: tuple[str, ...] = ()
    """Other names that it is found by."""
    hosts: tuple[str, ...] = ()
    """Further host names of its endpoints, or endings of host names (`.openai.azure.com`)."""
    source: str
    """The URL of the page that the row's facts come from. A fact from elsewhere has a comment in
    the file."""
    api: Api = "chat"
    """The API that the vendor itself recommends."""
    responses: Literal["none", "stateless", "stateful"] = "none"
    """Whether it has the Responses API. `stateful`: it also stores answers, so that
    `previous_response_id` can continue them. `stateless`: it does not."""
    stored_completions: bool = False
    """Whether it stores chat completions that were asked for with `store`, and lists them by their
    metadata."""
    metadata_chars: int | None = None
    """How many characters a value in a request's `metadata` may have. `None`: it has no metadata.
    """
    builtin_tools: frozenset[str] | None = None
    """The types of the tools that run at the vendor, if its documentation lists them. `None`: not
    known. A tool that is not listed is sent all the same."""
    finish_reason_optional: bool = False
    """Whether an answer without a finish reason may be complete."""
    quirks: Quirks = Quirks()
    """How requests to it must be written."""
    models: tuple[ModelRule, ...] = ()
    """What is different for some of its models."""

    def for_model(self, model: str) -> Quirks:
        """Returns the quirks that hold for `model`.

        >>> VENDORS["openai"].for_model("gpt-5-mini").token_cap
        'max_completion_tokens'
        """
        return _quirks_of(self, model)

    def __hash__(self) -> int:
        return hash(self.name)  # profiles that are equal have the same name

    def key_from(self, environ: Mapping[str, str]) -> str | None:
        """Returns the vendor's key from `environ`, or None. An empty variable does not count.

        >>> VENDORS["googleai"].key_from({"GEMINI_API_KEY": "", "GOOGLE_API_KEY": "k"})
        'k'
        """
        return next((environ[name] for name in self.key_env if environ.get(name)), None)


def find_vendor(name: str) -> VendorProfile:
    """Returns the vendor with this name or alias, in upper or lower case.

    Raises TurnConfigurationError if there is none, with the most similar name, else all known ones.

    >>> find_vendor("togetherai").name
    'together'
    """
    if not isinstance(name, str):
        raise TurnConfigurationError(
            f"`vendor` is of type `{type(name).__name__}`; give its name as text."
        )
    profile = _by_alias().get(name.lower())
    if profile is None:
        similar = difflib.get_close_matches(name.lower()[:100], _by_alias(), n=1, cutoff=0.7)
        hint = f" Did you mean `{similar[0]}`?" if similar else ""
        # Beside a similar name, the list of all would only bury it.
        known = "" if similar else f" Known: {', '.join(sorted(VENDORS))}."
        raise TurnConfigurationError(
            f"No vendor is called `{name[:100]}`.{hint}{known} "
            "For any other endpoint give its base_url, on the command line with --base-url."
        )
    return profile


def register_vendor(name: str, row: Mapping[str, Any]) -> VendorProfile:
    """Adds a vendor to the table of this process, and returns its profile.

    Call it before a turn is built with `name`, in each process that runs or reads such turns. The
    same row may be registered again.

    Args:
        name: lower-case letters, digits, `-` and `_`.
        row: the fields of `VendorProfile`, as a row of `vendors.yaml` has them. `like` names a
            vendor whose quirks it shares. `source` may be left out.

    Raises TurnConfigurationError for a row that is none, and for a name or alias that is taken.

        >>> row = {"base_url": "https://llm.acme.example/v1", "like": "vllm"}
        >>> register_vendor("acme-docs", row).base_url
        'https://llm.acme.example/v1'
        >>> find_vendor("acme-docs").name
        'acme-docs'
    """
    if not _NAME.fullmatch(name):
        raise TurnConfigurationError(
            f"`{name[:100]}` is no name of a vendor. Allowed: lower-case letters, digits, `-`, `_`."
        )
    if "like" in row and row["like"] not in _ROWS:
        raise TurnConfigurationError(
            f"The row `{name}` is `like` `{str(row['like'])[:100]}`, which is no vendor. "
            f"Known: {', '.join(sorted(_ROWS))}."
        )
    profile = _checked_profile(name, {"source": "register_vendor", **row}, _ROWS)
    taken = {each: _by_alias().get(each) for each in (name, *profile.aliases)}
    if taken[name] == profile:
        return profile
    if known := [each for each, owner in taken.items() if owner is not None]:
        raise TurnConfigurationError(
            f"`{known[0]}` is a vendor already, and another row cannot replace it. "
            "Register yours under another name."
        )
    _TABLE[name], _ROWS[name] = profile, dict(row)
    _by_alias.cache_clear()
    return profile


def is_vendor(name: str) -> bool:
    """Whether this is the name or alias of a vendor, in upper or lower case.

    >>> is_vendor("OpenAI"), is_vendor("llama3.2")
    (True, False)
    """
    return name.lower() in _by_alias()


def vendor_of_url(base_url: str) -> VendorProfile | None:
    """Returns the vendor that this endpoint belongs to, or None.

    >>> vendor_of_url("https://api.groq.com/openai/v1").name
    'groq'
    """
    # Only the host decides: paths and ports of proxies and accounts differ. A vendor's name inside
    # another host (`api.openai.com.evil.example`) must not match, so host names are compared whole,
    # or by an ending that begins with a dot.
    host = _host(base_url)
    for profile in VENDORS.values():
        for known in (_host(profile.base_url or ""), *profile.hosts):
            if known and (host.endswith(known) if known.startswith(".") else host == known):
                return profile
    return None


def _host(url: str) -> str:
    """Returns the host name. A local server's comes with its port: only that tells them apart."""
    try:
        parts = urlsplit(url)
        local = parts.hostname in ("localhost", "127.0.0.1", "::1")
        return f"localhost:{parts.port}" if local else parts.hostname or ""
    except ValueError:  # the port is not a number
        return ""


@lru_cache(maxsize=1024)
def _quirks_of(profile: VendorProfile, model: str) -> Quirks:
    # Rules are applied in the file's order: a general rule first, its exceptions after it.
    changes: JsonObject = {}
    for rule in profile.models:
        if re.fullmatch(rule.match, model, re.IGNORECASE):
            for name, value in rule.quirks.items():
                before = changes.get(name, getattr(profile.quirks, name))
                changes[name] = before | value if name in _ADDED else value
    return profile.quirks.model_copy(update=changes) if changes else profile.quirks


@cache
def _by_alias() -> Mapping[str, VendorProfile]:
    return {
        name: profile for profile in VENDORS.values() for name in (profile.name, *profile.aliases)
    }


def _read_rows(text: str) -> dict[str, JsonObject]:
    """Returns the rows of `vendors.yaml`."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C loader is faster
    rows: dict[str, JsonObject] = yaml.load(text, loader)  # noqa: S506, both loaders are safe
    rows.pop("_", None)  # fragments that rows share by YAML anchors
    return rows


def _checked_profile(name: str, row: Mapping[str, Any], rows: Mapping[str, Any]) -> VendorProfile:
    """Returns the profile of a row. Raises TurnConfigurationError that names the row and field."""
    try:
        return _profile(name, row, rows)
    except ValidationError as exc:
        problem = exc.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in problem["loc"])
        raise TurnConfigurationError(
            f"The table of vendors, row `{name}`, `{field}`: {problem['msg']}. "
            "The fields of a row are those of `VendorProfile` and, under `quirks`, of `Quirks`."
        ) from exc


def _profile(name: str, row: Mapping[str, object], rows: Mapping[str, object]) -> VendorProfile:
    own = {key: value for key, value in row.items() if key not in ("like", "quirks", "models")}
    # Quirks are inherited as plain data and validated at the end, so that a row only needs to say
    # what differs, and a misspelled name is still an error.
    quirks, rules = _with_inherited(row, rows)
    models = [
        ModelRule(match=rule.pop("match"), example=rule.pop("example"), quirks=_typed(rule))
        for rule in rules
    ]
    return VendorProfile(name=name, quirks=Quirks(**quirks), models=tuple(models), **own)


def _with_inherited(
    row: Mapping[str, Any], rows: Mapping[str, Any]
) -> tuple[JsonObject, list[JsonObject]]:
    """Returns a row's quirks and model rules after those of the row it is `like`.

    Nothing else is inherited: endpoint, key and features are a vendor's own.
    """
    quirks, rules = _with_inherited(rows[row["like"]], rows) if "like" in row else ({}, [])
    own_rules = [dict(rule) for rule in row.get("models", ())]
    return {**quirks, **row.get("quirks", {})}, rules + own_rules


def _typed(rule: Mapping[str, object]) -> JsonObject:
    """Returns only the quirks that the rule sets, validated and in their Python types."""
    quirks = Quirks(**rule)
    return {name: getattr(quirks, name) for name in rule}


_ROWS: Final = _read_rows(Path(__file__).with_name("vendors.yaml").read_text("utf-8"))
_TABLE: Final = {name: _checked_profile(name, row, _ROWS) for name, row in _ROWS.items()}
VENDORS: Final[Mapping[str, VendorProfile]] = MappingProxyType(_TABLE)
"""All vendors, by name."""
