"""Saves conversations in the home, one JSON file each, which only the owner can read."""

import time
from pathlib import Path
from typing import NamedTuple

from gglib.cli.chat.conversation import Conversation
from gglib.cli.chat.storage.saved_form import check_chat_name, read_saved, saved_text
from gglib.core.errors import GglibError
from gglib.core.plain_text import escape_line
from gglib.system.files.rewriting import replace_file
from gglib.system.files.small_files import parse_json, read_small

FOLDER = "chats"
SUFFIX = ".json"
MAX_CHAT_BYTES = 256_000_000
"""Images are part of a conversation."""


class SavedChat(NamedTuple):
    """A saved conversation in a list."""

    name: str
    changed_s: float
    """Unix time in seconds."""


class SavedChats:
    """The saved conversations of a home."""

    def __init__(self, home: Path) -> None:
        self._folder = home / FOLDER

    def names(self) -> list[SavedChat]:
        """Return the conversations, the newest first; empty if the folder cannot be read."""
        chats = []
        try:
            paths = list(self._folder.glob(f"*{SUFFIX}"))
        except OSError:
            return []
        for path in paths:
            try:
                chats.append(SavedChat(path.name.removesuffix(SUFFIX), path.stat().st_mtime))
            except OSError:  # deleted in the meantime
                continue
        return sorted(chats, key=lambda chat: (-chat.changed_s, chat.name))

    def exists(self, name: str) -> bool:
        """Whether there is a conversation of this name. Raises ``GglibError`` for a name that is no file name."""
        return self._path(name).exists()

    def save(self, name: str, conversation: Conversation) -> Path:
        """Write a conversation, replacing one of this name, and return its file. Raises ``GglibError``."""
        path = self._path(name)
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            replace_file(path, saved_text(conversation).encode(), None)
        except OSError as error:
            raise GglibError(f"The conversation cannot be saved as {path}: {error.strerror}.") from error
        return path

    def load(self, name: str) -> Conversation:
        """Read a conversation. Raises ``GglibError``."""
        path = self._path(name)
        try:
            return read_saved(parse_json(read_small(path, max_bytes=MAX_CHAT_BYTES)))
        except FileNotFoundError:
            raise GglibError(f"There is no saved conversation '{name}': /load lists them.") from None
        except OSError as error:
            raise GglibError(f"{path} cannot be read: {error.strerror}.") from error
        except ValueError as error:
            raise GglibError(f"{path} is not a saved conversation: {escape_line(str(error))}.") from error

    def _path(self, name: str) -> Path:
        return self._folder / f"{check_chat_name(name)}{SUFFIX}"


def new_name() -> str:
    """Return a name for a conversation that has none: the date and the time."""
    return time.strftime("%Y-%m-%d-%H%M%S")
