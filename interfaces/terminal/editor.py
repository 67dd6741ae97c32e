"""Opens a text in the editor that the environment names."""

import os
import shlex
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from turngraph.state.errors import TurnConfigurationError

__all__ = ["edit_text", "editor_command"]


def editor_command() -> list[str]:
    """Returns the command of `$VISUAL`, or else `$EDITOR`; an empty list if neither is set."""
    return shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "")


def edit_text(text: str, command: Sequence[str]) -> str:
    """Runs the editor on `text` in a file and returns what the file holds afterwards.

    The file is readable by its owner alone, and deleted. Raises TurnConfigurationError if the
    editor cannot be started or reports a failure; the text is then as it was.
    """
    with tempfile.TemporaryDirectory(prefix="turngraph-") as folder:
        file = Path(folder) / "request.json"
        file.write_text(text, "utf-8")
        try:
            code = subprocess.run([*command, str(file)], check=False).returncode  # noqa: S603
        except OSError as exc:
            raise TurnConfigurationError(
                f"The editor `{shlex.join(command)}` cannot be started: {exc.strerror}. "
                "Set $EDITOR to one that can."
            ) from exc
        if code != 0:
            raise TurnConfigurationError(
                f"The editor `{shlex.join(command)}` ended with code {code}. Nothing was changed."
            )
        return file.read_text("utf-8").strip()
