"""What a server does to one request, as data: a list of steps, carried out one after the other.

Bytes are sent as they are. At the end of the list the connection is closed, unless the last step
says otherwise.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

__all__ = ["Drip", "End", "Endless", "InTurn", "Script", "Step", "Wait", "in_turn"]


@dataclass(frozen=True)
class Wait:
    """Sends nothing for so many seconds."""

    seconds: float = 60.0


@dataclass(frozen=True)
class Drip:
    """Sends `data` byte by byte."""

    data: bytes
    every_s: float = 0.1


@dataclass(frozen=True)
class Endless:
    """Sends `data` again and again until the client closes the connection."""

    data: bytes
    every_s: float = 0.1


class End(Enum):
    """How a connection ends."""

    RESET = auto()
    """With a TCP reset."""
    KEEP = auto()
    """It does not: the next request may come on it."""
    HALF = auto()
    """The server sends no more, and leaves its side open for reading."""


Step = bytes | Wait | Drip | Endless | End
Script = Sequence[Step]


@dataclass(frozen=True)
class InTurn:
    """One script for each request; the last one is for all further ones too."""

    scripts: tuple[Script, ...]


def in_turn(*scripts: Script) -> InTurn:
    """One script for each request."""
    return InTurn(scripts)
