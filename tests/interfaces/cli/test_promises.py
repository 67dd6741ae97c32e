"""Sentences of `docs/cli.md` that no other test is about."""

from dataclasses import fields

import pytest

from tests.interfaces.cli.commands import KEY
from turngraph.interfaces.cli.app import run_command
from turngraph.interfaces.cli.model_options import ModelOptions, open_model

GROQ = {"GROQ_API_KEY": KEY}
OPENAI = {"OPENAI_API_KEY": KEY}


@pytest.mark.parametrize(
    ("options", "environ", "name"),
    [
        (ModelOptions(model="groq:llama-3.3-70b"), GROQ, "groq:llama-3.3-70b"),
        (ModelOptions(provider="groq", model="llama-3.3-70b"), GROQ, "groq:llama-3.3-70b"),
        (ModelOptions(base_url="http://model.example/v1", model="m"), {}, "custom:m"),
        (ModelOptions(), {**GROQ, "TURNGRAPH_MODEL": "groq:m"}, "groq:m"),
        (
            ModelOptions(model="openai:gpt-5"),
            {**OPENAI, "TURNGRAPH_MODEL": "groq:m"},
            "openai:gpt-5",
        ),
        (ModelOptions(), OPENAI, "openai:gpt-5-mini"),
        (ModelOptions(), {}, "scripted"),
        (ModelOptions(provider="scripted"), OPENAI, "scripted"),
    ],
)
def test_the_model_is_the_one_of_the_table(
    options: ModelOptions, environ: dict[str, str], name: str
) -> None:
    """Options first, then the two variables, then the scripted model."""
    with open_model(options, environ) as model:
        assert model.name == name


def test_there_is_no_option_for_a_key(capsys: pytest.CaptureFixture[str]) -> None:
    """Other users of the machine can read a command line."""
    assert [each.name for each in fields(ModelOptions) if "key" in each.name] == ["key_env"]
    for option in ("--api-key", "--key", "--token"):
        assert run_command(["run", "Hi", option, KEY]) == 2
    assert KEY not in "".join(capsys.readouterr())
