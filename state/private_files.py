"""Creates files and folders that only their owner may read: they hold conversations and money."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

__all__ = ["create_private_file", "create_private_folder"]

_FILE_MODE: Final = 0o600
_FOLDER_MODE: Final = 0o700


def create_private_folder(folder: Path) -> None:
    """Creates `folder` and the parents that it lacks, for the owner alone.

    A folder that exists keeps its permissions: whoever made it has chosen them.
    """
    # `Path.mkdir(parents=True)` would make the parents with the default permissions.
    for part in reversed([folder, *folder.parents]):
        if not part.exists():
            with suppress(FileExistsError):  # another process was faster
                part.mkdir(mode=_FOLDER_MODE)
                # A umask can take rights from the owner too, who then could not use the folder.
                part.chmod(_FOLDER_MODE)


def create_private_file(file: Path) -> None:
    """Creates an empty `file` for the owner alone, and the folders that it lacks, if there is none.

    To be called before a library creates it. SQLite gives the files beside a database the
    permissions of the database.
    """
    create_private_folder(file.parent)
    with suppress(FileExistsError):
        descriptor = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _FILE_MODE)
        try:
            if hasattr(os, "fchmod"):  # see the folder; Windows has neither
                os.fchmod(descriptor, _FILE_MODE)
        finally:
            os.close(descriptor)
