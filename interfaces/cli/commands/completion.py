"""`turngraph completion`: the script that completes commands and options in a shell."""

from typing import Literal

__all__ = ["completion"]


def completion(shell: Literal["bash", "zsh", "fish"], /) -> None:
    """Print the script that completes commands and options in a shell.

    Parameters
    ----------
    shell
        The shell.
    """
    from turngraph.interfaces.cli.app import app

    print(app.generate_completion(shell=shell))
