"""The default responder: which tools it calls for which question, and how it repeats results."""

import json
from typing import Any

import pytest
from langchain_core.utils.function_calling import convert_to_openai_tool

from turngraph.scripted.prompt import Message, OfferedTool, Prompt, RequestedCall
from turngraph.scripted.responder.default_responder import answer
from turngraph.tools import calculator, date_calculator, get_current_weather


def offered(tool: Any) -> OfferedTool:
    function = convert_to_openai_tool(tool)["function"]
    return OfferedTool(function["name"], function["description"], function["parameters"])


ARCHIVE = OfferedTool(
    "archive_lookup",
    "Finds a document in the archive.",
    {"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]},
)
TOOLS = (*map(offered, (calculator, date_calculator, get_current_weather)), ARCHIVE)


def calls(question: str, **asked: Any) -> list[tuple[str, dict[str, Any]]]:
    requested = answer(Prompt((Message("user", question),), TOOLS, **asked)).calls
    return [(call.name, json.loads(call.arguments)) for call in requested]


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("What is 17% of 2,340?", [("calculator", {"expression": "17 / 100 * 2340"})]),
        (
            "Add up 3 plus 4, and (5 - 2) * 6.",
            [("calculator", {"expression": e}) for e in ("3 + 4", "(5 - 2) * 6")],
        ),
        ("Is it raining in São Paulo?", [("get_current_weather", {"location": "São Paulo"})]),
        (
            "How warm is it in Oslo and in Frankfurt am Main, in fahrenheit?",
            [
                ("get_current_weather", {"location": p, "unit": "USCS"})
                for p in ("Oslo", "Frankfurt am Main")
            ],
        ),
        (
            "How many days are there between 2024-01-01 and March 5, 2024?",
            [
                (
                    "date_calculator",
                    {"dates": ["2024-01-01", "2024-03-05"], "operation": "difference"},
                )
            ],
        ),
        (
            "What day is 10 days after 2024-02-25?",
            [("date_calculator", {"dates": ["2024-02-25"], "operation": "add", "days": 10})],
        ),
        (
            "Find the document 'Annual report', please.",
            [("archive_lookup", {"title": "Annual report"})],
        ),
        (
            "What is 6 * 7, and the weather in Rome?",
            [
                ("calculator", {"expression": "6 * 7"}),
                ("get_current_weather", {"location": "Rome"}),
            ],
        ),
        ("Who wrote Faust?", []),
        ("Good morning!", []),
        ("", []),
    ],
)
def test_the_tools_that_fit_are_called(
    question: str, expected: list[tuple[str, dict[str, Any]]]
) -> None:
    """A newcomer's own questions work in the demo, not only the three that it plays."""
    assert calls(question) == expected


def test_the_same_question_gets_the_same_answer() -> None:
    """The answer is a pure function of the prompt."""
    assert calls("Weather in Oslo and 3 * 4") == calls("Weather in Oslo and 3 * 4")


def test_what_was_called_is_not_called_again() -> None:
    """Even where the client has rewritten the JSON of the arguments."""
    asked = Message("assistant", "", (RequestedCall("calculator", '{"expression":"6 * 7"}', "c1"),))
    prompt = Prompt(
        (Message("user", "What is 6 * 7?"), asked, Message("tool", "42", (), "c1")), TOOLS
    )
    reply = answer(prompt)
    assert reply.calls == ()
    assert reply.text.startswith("calculator says: 42")


def test_only_results_since_the_question_are_repeated() -> None:
    """Earlier turns have been answered."""
    before = (
        Message("user", "What is 1 + 1?"),
        Message("assistant", "", (RequestedCall("calculator", '{"expression": "1 + 1"}', "c1"),)),
        Message("tool", "2", (), "c1"),
        Message("assistant", "Two."),
    )
    assert (
        "calculator says" not in answer(Prompt((*before, Message("user", "Thanks!")), TOOLS)).text
    )


def test_reasoning_grows_with_the_effort() -> None:
    """More effort costs more tokens, as with real models."""

    def thought(effort: str) -> int:
        return len(answer(Prompt((Message("user", "Hi"),), effort=effort)).reasoning or "")

    assert 0 == thought("none") < thought("low") < thought("medium") < thought("high")


def test_a_long_result_is_shortened() -> None:
    """An answer of ten megabytes would help nobody."""
    asked = Message("assistant", "", (RequestedCall("archive_lookup", "{}", "c1"),))
    prompt = Prompt(
        (Message("user", "Hi"), asked, Message("tool", "x" * 10_000_000, (), "c1")), TOOLS
    )
    assert len(answer(prompt).text) < 10_000
