"""What one row of the table is: a fault, and what must come of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from tests.faults.answers import Good
from tests.faults.script import InTurn, Script
from turngraph.state.kinds import TurnStatus
from turngraph.state.request import Api
from turngraph.state.turn_error import TurnErrorKind

__all__ = ["FORMS", "Expected", "Fault", "Form", "Place", "expect"]

Place = Literal["server", "refused", "no host", "tls", "full"]
"""Where the request goes: to the server; to a port where nobody listens; to a name that is none; by
TLS to a server without; to a server whose queue of connections is full.
"""


@dataclass(frozen=True)
class Form:
    """One of the eight forms in which every fault is tried."""

    api: Api
    stream: bool
    way: Literal["sync", "async"]

    @property
    def name(self) -> str:
        """`chat SSE sync`."""
        return f"{self.api} {'SSE' if self.stream else 'JSON'} {self.way}"


FORMS = [
    Form(api, stream, way)
    for api in ("chat", "responses")
    for stream in (False, True)
    for way in ("sync", "async")
]


@dataclass(frozen=True)
class Expected:
    """What must come of a fault."""

    ends: TurnErrorKind | TurnStatus
    """The kind of the turn's error, or the turn's status where there is no error."""
    billed: str = ""
    """One word for each attempt, in order: `nothing`, `usage` (the reported tokens), `estimate`
    (our own count, marked as one) or `held` (the most it could cost, marked as an estimate).
    """
    tools: int = 0
    """How many tool calls ran."""
    requests: int | None = None
    """How many requests reached the server, if that is not the number of attempts."""


def expect(text: str) -> Expected:
    """Reads `kind: billed, …; 2 tools; 0 requests`, with everything but the kind optional.

    >>> expect("rate_limit: nothing x3").billed
    'nothing nothing nothing'
    >>> expect("completed: usage usage; 1 tools").tools
    1
    """
    first, *rest = text.split("; ")
    ends, _, billed = first.partition(": ")
    words: list[str] = []
    for word in billed.split():
        words += [words.pop()] * int(word[1:]) if word.startswith("x") else [word]
    numbers = {name: int(count) for count, name in (part.split() for part in rest)}
    return Expected(ends, " ".join(words), **numbers)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Fault:
    """One row: its name in plain words, what the server does, and what must come of it.

    script: what the server does, from the correct answer of the form.
    ends: as `expect` reads it.
    but: expectations of some forms, by the words of their names: `{"SSE": …, "chat JSON": …}`.
    patience_s: every timeout of the provider, for a fault that is noticed by its silence.
    total_s: the time for the whole exchange; five times `patience_s` by default.
    seconds: the turn's own limit.
    """

    name: str
    script: Callable[[Good], Script | InTurn]
    ends: str
    but: Mapping[str, str] = field(default_factory=dict)
    patience_s: float = 30.0
    total_s: float | None = None
    seconds: float | None = None
    place: Place = "server"

    def expected(self, form: Form) -> Expected:
        """What must come of it in one form: the last row of `but` that fits, or `ends`."""
        words = set(form.name.split())
        fitting = [text for names, text in self.but.items() if set(names.split()) <= words]
        return expect([self.ends, *fitting][-1])

    def scripts(self, form: Form) -> tuple[Script, ...]:
        """What the server does at each request, in one form."""
        script = self.script(Good(form.api, form.stream))
        return script.scripts if isinstance(script, InTurn) else (script,)
