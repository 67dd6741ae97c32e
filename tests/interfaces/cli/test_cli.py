"""The command line: answers on stdout, everything else on stderr, one sentence for an error."""

import importlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cyclopts import App

from tests.interfaces.cli.commands import (
    KEY,
    TURNGRAPH,
    Terminal,
    environment,
    one_sentence,
    turngraph,
    turngraph_from_nothing,
)
from turngraph.interfaces.cli.app import COMMANDS, run_command
from turngraph.scripted import Fail, Hang, Refuse, Say, ScriptedModel


def test_the_command_line_itself_loads_nothing_heavy() -> None:
    """Help and the version must come at once; LangGraph and the SDK take seconds."""
    code = "import sys, turngraph.interfaces.cli.app as cli; cli.run_command(['--version'])"
    code += "; print(*sys.modules)"
    loaded = set(subprocess.check_output([sys.executable, "-c", code], text=True).split())
    assert "cyclopts" in loaded
    assert not loaded & {"langgraph", "langchain_core", "openai", "aiohttp", "pydantic"}


def test_help_names_every_command(tmp_path: Path) -> None:
    """A command nobody can find does not exist."""
    shown = turngraph_from_nothing(tmp_path, "--help").stdout
    assert all(name in shown for name in COMMANDS)


def test_without_arguments_it_says_where_to_begin(tmp_path: Path) -> None:
    """A newcomer types the name of the program first."""
    done = turngraph(tmp_path)
    assert "Start here." in done.stdout
    assert "turngraph demo" in done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Its help has a usage line and an example to copy."""
    assert run_command([command, "--help"]) == 0
    shown = capsys.readouterr().out
    assert f"turngraph {command}" in shown
    assert f"Example: turngraph {command}" in shown


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_is_listed_as_its_own_module_describes_it(command: str) -> None:
    """The list is written apart from the modules, which take seconds to import."""
    module = importlib.import_module(f"turngraph.interfaces.cli.commands.{command}")
    target = getattr(module, command)
    text = target.help if isinstance(target, App) else target.__doc__.splitlines()[0]
    assert text == COMMANDS[command].summary


def test_without_a_key_the_scripted_model_answers_and_says_so(tmp_path: Path) -> None:
    """A newcomer sees a whole turn before they have an account anywhere, and is not fooled."""
    done = turngraph_from_nothing(tmp_path, "run", "What is 17% of 2,340?")
    assert done.returncode == 0
    assert "397.8" in done.stdout
    assert "scripted model" not in done.stdout.splitlines()[0]
    assert "This is the scripted model, not a language model" in done.stderr
    assert "→ calculator" in done.stderr
    assert "total" in done.stderr


def test_a_pipe_gets_the_answer_alone(tmp_path: Path) -> None:
    """`turngraph run … > file` must not write tables into the file."""
    with ScriptedModel([Say("Oslo.\nIndeed.")]) as model:
        done = turngraph(
            tmp_path, "run", "Capital?", "-q", "--base-url", model.base_url, "-m", "any"
        )
    assert (done.stdout, done.stderr, done.returncode) == ("Oslo.\nIndeed.\n", "", 0)


def test_the_question_may_come_through_a_pipe(tmp_path: Path) -> None:
    """So that a file or another program can ask."""
    with ScriptedModel([Say("ok")]) as model:
        turngraph(
            tmp_path, "run", "--base-url", model.base_url, "-m", "any", stdin="From a pipe?\n"
        )
    assert model.requests[0].body["messages"][-1]["content"] == "From a pipe?"


def test_json_is_everything_the_turn_left_behind(tmp_path: Path) -> None:
    """For programs: one document on stdout, whatever stands on stderr."""
    done = turngraph(tmp_path, "run", "What is 6 * 7?", "--json")
    result = json.loads(done.stdout)
    assert result["status"] == "completed"
    assert "42" in result["answer"]
    assert [run["content"] for run in result["tool_runs"]] == ["42"]
    assert len(result["attempts"]) == len(result["charges"]) == 2


def test_streamed_json_is_one_event_a_line(tmp_path: Path) -> None:
    """A program can follow a turn as it happens; the last line is the result."""
    done = turngraph(tmp_path, "run", "Hello there!", "--json", "--stream")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert events[0]["type"] == "prompt_started"
    assert events[-1]["type"] == "result"
    said = "".join(event["text"] for event in events if event["type"] == "token")
    assert said == events[-1]["answer"]


def test_a_failed_turn_is_json_too(tmp_path: Path) -> None:
    """A program that reads stdout must find the error there."""
    with ScriptedModel([Fail(401)]) as model:
        done = turngraph(
            tmp_path, "run", "Hi", "--json", "-q", "--base-url", model.base_url, "-m", "any"
        )
    result = json.loads(done.stdout)
    assert (result["status"], result["error"]["kind"], result["error"]["status"]) == (
        "error",
        "authentication",
        401,
    )
    assert done.returncode == 1


def test_options_reach_the_wire(tmp_path: Path) -> None:
    """An option that is taken and not sent is worse than none."""
    with ScriptedModel([Say("ok")]) as model:
        done = turngraph(
            tmp_path,
            *("run", "Hi", "-q", "--stream", "--base-url", model.base_url, "-m", "any"),
            *(
                "--key-env",
                "MY_KEY",
                "--system",
                "Be brief.",
                "--temperature",
                "0",
                "--max-tokens",
                "64",
            ),
            *("-f", "calculator", "-f", "date_calculator"),
            MY_KEY=KEY,
        )
    body = model.requests[0].body
    assert done.returncode == 0
    assert body["messages"][0] == {"role": "system", "content": "Be brief."}
    assert (body["model"], body["stream"], body["temperature"], body["max_tokens"]) == (
        "any",
        True,
        0,
        64,
    )
    assert [tool["function"]["name"] for tool in body["tools"]] == ["calculator", "date_calculator"]
    assert model.requests[0].headers["authorization"] == f"Bearer {KEY}"


def test_either_api_may_be_asked_for(tmp_path: Path) -> None:
    """`--api responses` is the user's word, whatever the table says."""
    with ScriptedModel([Say("ok")]) as model:
        turngraph(
            tmp_path,
            "run",
            "Hi",
            "-q",
            "--api",
            "responses",
            "--base-url",
            model.base_url,
            "-m",
            "any",
        )
    assert model.requests[0].path.endswith("/responses")


def test_a_model_named_beside_an_endpoint_keeps_its_colons(tmp_path: Path) -> None:
    """`llama3.2:3b` is a name, not a vendor and a model."""
    with ScriptedModel([Say("ok")]) as model:
        turngraph(tmp_path, "run", "Hi", "-q", "--base-url", model.base_url, "-m", "llama3.2:3b")
    assert model.requests[0].body["model"] == "llama3.2:3b"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["run", "Hi", "-p", "nobody", "-m", "x"], "No vendor is called `nobody`"),
        (["run", "Hi", "-m", "groq:llama-3.3-70b-versatile"], "groq needs a key: set GROQ_API_KEY"),
        (["run", "Hi", "-m", "gpt-5-mini"], "must be `vendor:model`"),
        (["run", "Hi", "-p", "groq"], "No model was named. Add --model NAME."),
        (
            ["run", "Hi", "--base-url", "localhost:8080", "-m", "x"],
            "must start with https:// or http://",
        ),
        (
            ["run", "Hi", "--temperature", "3"],
            "--temperature is 3.0: Input should be less than or equal to 2.",
        ),
        (["run", "Hi", "--timeout", "0"], "--timeout is 0.0: Input should be greater than 0."),
        (["run", "Hi", "--max-tokens", "many"], 'unable to convert "many" into int'),
        (["run", "Hi", "-m", "openai:x", "--key-env", "NO_SUCH"], "--key-env names `NO_SUCH`"),
        (["run", "Hi", "-f", "teleport"], "No built-in function is named `teleport`"),
        (["run", "Hi", "--bogus"], "Unknown option: --bogus."),
        (["run"], "No question was given"),
        (["rum", "Hi"], 'Did you mean "run"?'),
        (["draw", "turn.png"], "The suffix of `turn.png` names no format"),
        (["draw", "no/such/folder/turn.svg"], "cannot be written: No such file or directory."),
    ],
)
def test_what_is_wired_wrongly_is_one_sentence(
    args: list[str],
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A traceback tells a newcomer nothing; the sentence says what to do."""
    for name in [
        name for name in os.environ if name.endswith("_KEY") or name.startswith("TURNGRAPH")
    ]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    assert run_command(args) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert said in shown.err
    assert shown.err.startswith("turngraph: ")
    assert shown.err.count("\n") == 1


def test_a_missing_key_ends_the_process_with_its_code(tmp_path: Path) -> None:
    """The same, seen from a shell."""
    done = turngraph(tmp_path, "run", "Hi", "-m", "groq:llama-3.3-70b-versatile")
    assert "GROQ_API_KEY" in one_sentence(done)
    assert (done.stdout, done.returncode) == ("", 2)


def test_an_endpoint_nobody_answers_at_is_named(tmp_path: Path) -> None:
    """The commonest mistake of all: a server that is not running, a wrong port."""
    with ScriptedModel() as model:
        gone = model.base_url
    done = turngraph(tmp_path, "run", "Hi", "-q", "--base-url", gone, "-m", "any")
    assert f"(asked at {gone})" in one_sentence(done)
    assert (done.stdout, done.returncode) == ("", 1)


def test_the_package_is_the_command_too(tmp_path: Path) -> None:
    """`python -m turngraph`: people type it where scripts are not on the path."""
    shown = subprocess.run(
        [sys.executable, "-m", "turngraph", "run", "What is 6 * 7?", "-q", "-f", "calculator"],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env=environment(tmp_path),
    )
    assert "42" in shown.stdout


def test_a_vendors_error_is_told_with_its_status(tmp_path: Path) -> None:
    """The vendor's own words, and which it was."""
    with ScriptedModel(
        [Fail(404, {"error": {"message": "The model `any` does not exist."}})]
    ) as model:
        done = turngraph(tmp_path, "run", "Hi", "-q", "--base-url", model.base_url, "-m", "any")
    said = one_sentence(done)
    assert "404" in said
    assert "The model `any` does not exist." in said
    assert done.returncode == 1


def test_a_refusal_is_no_success(tmp_path: Path) -> None:
    """A script that asks must not take a refusal for an answer."""
    with ScriptedModel([Refuse("I would rather not.")]) as model:
        done = turngraph(tmp_path, "run", "Hi", "-q", "--base-url", model.base_url, "-m", "any")
    assert one_sentence(done) == "The model declined to answer. It said: I would rather not."
    assert done.returncode == 1


def test_no_key_is_ever_shown(tmp_path: Path) -> None:
    """Not in an answer's JSON, not in an error, not in a table."""
    with ScriptedModel(
        [Say("ok"), Fail(401, {"error": {"message": f"Incorrect API key provided: {KEY}"}})]
    ) as model:
        args = (
            "--json",
            "--stream",
            "-p",
            "openai",
            "--base-url",
            model.base_url,
            "-m",
            "gpt-4o-mini",
        )
        fine = turngraph(tmp_path, "run", "Hi", *args, OPENAI_API_KEY=KEY)
        refused = turngraph(tmp_path, "run", "Hi", *args, OPENAI_API_KEY=KEY)
        wrong = turngraph(tmp_path, "run", "Hi", *args, "--temperature", "9", OPENAI_API_KEY=KEY)
    assert (fine.returncode, refused.returncode, wrong.returncode) == (0, 1, 2)
    assert model.requests[0].headers["authorization"] == f"Bearer {KEY}"
    for done in (fine, refused, wrong):
        assert KEY not in done.stdout + done.stderr


def test_a_terminal_is_told_the_answer_as_it_arrives_and_obeys_nothing_in_it(
    tmp_path: Path,
) -> None:
    """An escape sequence in an answer could rewrite the screen, or write to the clipboard."""
    with (
        ScriptedModel([Say("Clear:\x1b[2J and a bell:\x07.")], pieces=4) as model,
        Terminal(tmp_path, "run", "Hi", "--base-url", model.base_url, "-m", "any") as terminal,
    ):
        assert terminal.end() == 0
    assert model.requests[0].body["stream"] is True
    assert "Clear:␛[2J and a bell:␇." in terminal.shown


def test_ctrl_c_ends_the_turn_and_not_in_a_traceback(tmp_path: Path) -> None:
    """The turn ends by itself, with what it used; the exit code is the shell's for ctrl-c."""
    with (
        ScriptedModel([Hang(60)]) as model,
        Terminal(tmp_path, "run", "Hi", "--base-url", model.base_url, "-m", "any") as terminal,
    ):
        terminal.wait_for(lambda: bool(model.requests))
        terminal.type("\x03")
        assert terminal.end() == 130
    assert "cancelled" in terminal.shown
    assert "Traceback" not in terminal.shown


def test_a_reader_that_has_enough_is_no_error(tmp_path: Path) -> None:
    """`turngraph vendors | head -1` must not end in a traceback."""
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [TURNGRAPH, "vendors"],
        stdout=write,
        stderr=subprocess.PIPE,
        env=environment(tmp_path),
        timeout=60,
        check=False,
    )
    os.close(write)
    assert done.stderr == b""
    assert done.returncode in {1, 141}  # rich's own, or the shell's for a broken pipe


def test_a_terminal_without_the_letters_gets_question_marks(tmp_path: Path) -> None:
    """An answer in Norwegian on a terminal that knows ASCII alone is still an answer."""
    with ScriptedModel([Say("Tromsø.")]) as model:
        args = ("run", "Hi", "-q", "--base-url", model.base_url, "-m", "any")
        done = turngraph_from_nothing(tmp_path, *args, PYTHONIOENCODING="ascii")
    assert (done.stdout, done.stderr, done.returncode) == ("Troms?.\n", "", 0)
