"""What is measured, as data: each case has contenders, each with its setting and perhaps an aim."""

from typing import Any, Final

from benchmarks.case import HAND, Aim, Case, Entry

__all__ = ["AGENT", "CASES", "TURN"]

AGENT: Final = "langchain create_agent"
AGNO: Final = "agno"
AGENTS_SDK: Final = "openai-agents"
TURN: Final = "turngraph"


def _all(turn: Entry, **setting: Any) -> dict[str, Entry]:
    """Every contender on the same setting, turngraph last."""
    others = {
        HAND: "hand_loop",
        AGENT: "langchain_agent",
        AGNO: "agno_agent",
        AGENTS_SDK: "openai_agents",
    }
    return {name: Entry(contender, setting) for name, contender in others.items()} | {TURN: turn}


def _turn(aim: Aim | None = None, *, stored: bool = False, **setting: Any) -> Entry:
    return Entry("turngraph_turn", setting, stored=stored, aim=aim)


_PLAIN: Final = ("plain", HAND)
_STAGES: Final = f"{TURN}, one step a stage"

_COSTS: Final = (
    Case(
        "plain",
        "A turn with one tool call, nothing stored",
        {
            **_all(_turn(Aim("plain", 0.6, "1.9"))),
            _STAGES: _turn(Aim("plain, one step a stage", 1.3, "1.9"), steps="each"),
            "(LangGraph's loop alone)": Entry("graph_alone", requests=0),
            "(turngraph's two requests alone)": Entry("requests_alone"),
        },
    ),
    Case(
        "sqlite",
        "The same, stored in SQLite",
        {
            AGENT: Entry("langchain_agent", stored=True),
            TURN: _turn(Aim("SQLite", 1.2, "5.3"), stored=True, steps="one"),
            _STAGES: _turn(Aim("SQLite, one step a stage", 3.0, "5.3"), stored=True, steps="each"),
            f"{TURN}, with a ledger": _turn(
                Aim("SQLite with a ledger", 2.0, "9.2"), stored=True, ledger=True, steps="one"
            ),
            f"{_STAGES}, with a ledger": _turn(stored=True, ledger=True, steps="each"),
            "(LangGraph's loop alone)": Entry("graph_alone", stored=True, requests=0),
        },
        yardstick=_PLAIN,
        turns=10,
    ),
    Case(
        "late",
        "The same, after 100 earlier turns in the thread",
        {
            **_all(
                _turn(
                    Aim("after 100 turns, same process", 0.03, "0.33"),
                    stored=True,
                    steps="one",
                    earlier=100,
                ),
                earlier=100,
            ),
            AGENT: Entry("langchain_agent", {"earlier": 100}, stored=True),
            f"{TURN}, history given by the caller": _turn(earlier=100),
        },
        turns=2,
    ),
    Case(
        "cold",
        "The same, in a process that has not had the thread",
        {
            TURN: _turn(
                Aim("after 100 turns, cold", 0.12, "0.33"), stored=True, steps="one", earlier=100
            ),
        },
        figure="cold_ms",
        yardstick=("late", HAND),
        turns=1,
        rounds=5,
    ),
    Case(
        "node",
        "A turn as the node of a parent graph",
        {
            AGENT: Entry("langchain_agent", {"parent": True}),
            TURN: _turn(parent=True),
            f"{AGENT}, parent stored": Entry("langchain_agent", {"parent": True}, stored=True),
            f"{TURN}, parent stored": _turn(stored=True, parent=True),
            f"{TURN}, parent stored, one step": _turn(stored=True, parent=True, steps="one"),
        },
        yardstick=_PLAIN,
        turns=10,
    ),
    Case(
        "stream",
        "1000 streamed pieces, delivered to a consumer",
        {
            **_all(
                _turn(Aim("1000 pieces, messages", 0.2, "0.36"), watch="messages"), watch="messages"
            ),
            f"{TURN}, as events": _turn(Aim("1000 pieces, events", 0.1, "0.23"), watch="custom"),
        },
        scenario="chunks-1000",
        turns=2,
        requests=1,
    ),
    Case(
        "crowd",
        "64 turns at once",
        {
            **_all(_turn(Aim("64 at once", 2.0, "0.68"))),
            f"{HAND}, gc.freeze()": Entry("hand_loop", frozen=True),
            f"{TURN}, gc.freeze()": Entry("turngraph_turn", frozen=True),
        },
        figure="turns_per_s",
        turns=128,
        at_once=64,
        apart=True,
    ),
    Case(
        "tools",
        "32 async tools of 50 ms in one turn",
        _all(
            _turn(Aim("32 async tools of 50 ms", 120, "89 ms", absolute=True), tools="async_50ms"),
            tools="async_50ms",
        ),
        figure="wall_ms",
        scenario="calls-32",
        turns=1,
    ),
    Case(
        "threads",
        "32 sync tools of 50 ms in one turn",
        _all(
            _turn(Aim("32 sync tools of 50 ms", 120, "104 ms", absolute=True), tools="sync_50ms"),
            tools="sync_50ms",
        ),
        figure="wall_ms",
        scenario="calls-32",
        turns=1,
    ),
)

_PROCESSES: Final = (
    Case(
        "memory",
        "Memory of a turn in flight, 1000 at once",
        {
            HAND: Entry("hand_loop"),
            AGENT: Entry("langchain_agent"),
            TURN: _turn(Aim("memory per turn in flight", 1.5)),
        },
        figure="kb",
        scenario="held-1",
        turns=1000,
        rounds=1,
    ),
    Case(
        "import",
        "Importing it",
        {
            "langgraph.graph": Entry("hand_loop", imports=("langgraph.graph", "StateGraph")),
            "openai": Entry("hand_loop", imports=("openai", "AsyncOpenAI")),
            AGENT: Entry("langchain_agent", imports=("langchain.agents", "create_agent")),
            AGNO: Entry("agno_agent", imports=("agno.agent", "Agent")),
            AGENTS_SDK: Entry("openai_agents", imports=("agents", "Agent")),
            TURN: Entry(
                "turngraph_turn",
                imports=("turngraph", "chat_turn"),
                aim=Aim("import, x langgraph.graph", 1.15, "1.2"),
            ),
        },
        figure="import_s",
        yardstick=("import", "langgraph.graph"),
        requests=0,
        rounds=5,
    ),
    Case(
        "first",
        "The first turn of a process, beyond a later one",
        _all(_turn(Aim("first turn beyond a later one", 0.2, "1.4 s", absolute=True))),
        figure="first_s",
        turns=5,
        rounds=3,
    ),
)

CASES: Final = _COSTS + _PROCESSES
