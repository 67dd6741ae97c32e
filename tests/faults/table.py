"""All faults, and the table that docs/reliability.md shows of them."""

from collections.abc import Sequence

from tests.faults.fault import Fault
from tests.faults.rows import bodies, connections, framing, members, statuses, streams

__all__ = ["FAULTS", "markdown"]

SECTIONS = {
    "Connections": connections.ROWS,
    "Statuses": statuses.ROWS,
    "HTTP": framing.ROWS,
    "Bodies": bodies.ROWS,
    "Streams": streams.ROWS,
    "Members": members.ROWS,
}
FAULTS: list[Fault] = [fault for rows in SECTIONS.values() for fault in rows]


def markdown(faults: Sequence[Fault]) -> str:
    """One line a fault: what must come of it, in all forms and where it differs."""
    lines = [
        "| the vendor's answer | the turn ends with: billed for each request | except |",
        "|---|---|---|",
    ]
    for fault in faults:
        but = "; ".join(f"{forms}: {text}" for forms, text in fault.but.items())
        lines.append(f"| {fault.name} | {fault.ends} | {but} |".replace("\n", " "))
    return "\n".join(lines)
