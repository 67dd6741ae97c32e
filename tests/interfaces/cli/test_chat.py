"""`turngraph chat`: a conversation that is remembered, on a terminal and through a pipe."""

from pathlib import Path

from tests.interfaces.cli.commands import Terminal, one_sentence, turngraph
from turngraph.scripted import Fail, Hang, Say, ScriptedModel


def roles(model: ScriptedModel, place: int) -> list[str]:
    """The roles of the messages that a request carried."""
    return [message["role"] for message in model.requests[place].body["messages"]]


def test_a_thread_goes_on_where_it_was_left(tmp_path: Path) -> None:
    """Another process, another day: the model is sent the whole conversation; another thread knows
    nothing of it.
    """
    with ScriptedModel([Say("One."), Say("Two."), Say("Three.")]) as model:
        args = ("chat", "--base-url", model.base_url, "-m", "any")
        first = turngraph(tmp_path, *args, stdin="First?\n")
        second = turngraph(tmp_path, *args, stdin="Second?\n/history\n")
        turngraph(tmp_path, *args, "--thread", "other", stdin="Third?\n")
    assert (first.stdout, first.returncode) == ("One.\n", 0)
    assert "2 messages" in second.stderr
    assert "human  First?" in second.stderr
    assert roles(model, 1) == ["system", "user", "assistant", "user"]
    assert roles(model, 2) == ["system", "user"]


def test_the_history_stands_in_the_data_folder_or_where_it_is_told(tmp_path: Path) -> None:
    """Nothing is written into the folder a person happens to be in."""
    turngraph(tmp_path, "chat", stdin="Hi\n")
    turngraph(tmp_path, "chat", "--history", "mine/chats.sqlite", stdin="Hi\n")
    assert {str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*.sqlite")} == {
        ".local/share/turngraph/threads.sqlite",
        "mine/chats.sqlite",
    }


def test_what_is_no_history_is_named(tmp_path: Path) -> None:
    """A wrong path is found out before anything is asked."""
    (tmp_path / "notes.txt").write_text("not a database, " * 100)
    done = turngraph(tmp_path, "chat", "--history", "notes.txt", stdin="Hi\n")
    assert "`notes.txt` cannot be opened" in one_sentence(done)
    assert done.returncode == 2


def test_a_failed_turn_does_not_end_the_conversation(tmp_path: Path) -> None:
    """The sentence is told, and the next question answered."""
    with ScriptedModel([Fail(401), Say("Better.")]) as model:
        done = turngraph(
            tmp_path, "chat", "--base-url", model.base_url, "-m", "any", stdin="One?\nTwo?\n"
        )
    assert done.stdout == "Better.\n"
    assert "authentication" in done.stderr
    assert done.returncode == 1


def test_a_person_talks_and_leaves(tmp_path: Path) -> None:
    """On a terminal: a prompt, the answer in pieces, ctrl-d."""
    with Terminal(tmp_path, "chat") as terminal:
        terminal.until("> ")
        terminal.type("What is 6 * 7?\n")
        terminal.until("calculator says: 42")
        terminal.until("> ")
        terminal.type("\x04")
        assert terminal.end() == 0
    assert "Traceback" not in terminal.shown


def test_ctrl_c_gives_up_the_answer_and_not_the_conversation(tmp_path: Path) -> None:
    """Neither while a model thinks nor at the prompt is anything lost."""
    with (
        ScriptedModel([Hang(60), Say("Here I am.")]) as model,
        Terminal(tmp_path, "chat", "--base-url", model.base_url, "-m", "any") as terminal,
    ):
        terminal.until("> ")
        terminal.type("Nonsense")
        terminal.until("Nonsense")
        terminal.type(
            "\x03\n"
        )  # readline may miss a signal that comes as it begins to wait, until the next key
        terminal.until("> ")
        terminal.type("Hello?\n")
        terminal.wait_for(lambda: bool(model.requests))
        terminal.type("\x03")
        terminal.until("cancelled")
        terminal.until("> ")
        terminal.type("Still there?\n")
        terminal.until("Here I am.")
        terminal.type("/quit\n")
        assert terminal.end() == 0
    assert roles(model, 1) == ["system", "user", "user"]
    assert "Traceback" not in terminal.shown


def test_an_unknown_command_is_told_the_known_ones_and_not_sent(tmp_path: Path) -> None:
    """A slip costs nothing; a path is no command."""
    with ScriptedModel([Say("Names of hosts.")]) as model:
        arguments = ("--base-url", model.base_url, "-m", "any")
        done = turngraph(tmp_path, "chat", *arguments, stdin="/nope now\n/etc/hosts: what is it?\n")
    assert "There is no command `/nope`" in done.stderr
    assert "/history" in done.stderr
    assert "Names of hosts." in done.stdout
    assert len(model.requests) == 1
