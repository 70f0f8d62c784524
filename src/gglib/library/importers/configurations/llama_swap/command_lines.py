"""Splits the command of a model into words, and recognises llama-server in it. Pure; nothing is run.

llama-swap drops lines that begin with ``#`` and backslashes at the end of lines, and splits the rest like a POSIX shell
without expansions (``internal/config/commands.go``).
"""

import shlex
from dataclasses import dataclass
from pathlib import PurePath

_ENV = "env"
_SERVER = "llama-server"


class CommandError(Exception):
    """A command cannot be read; a phrase."""


@dataclass(frozen=True, slots=True)
class ServerCommand:
    """A command that runs llama-server on this machine."""

    program: str
    arguments: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]
    """Variables that ``env`` sets before the program."""


def words_of(command: str) -> tuple[str, ...]:
    """Return the words of a command, the program first. Raises ``CommandError``."""
    lines = [line for line in command.splitlines() if not line.lstrip().startswith("#")]
    joined = "\n".join(_without_backslash(line) for line in lines)
    try:
        words = tuple(shlex.split(joined))
    except ValueError as error:
        raise CommandError(
            f"its command cannot be split into words ({str(error).rstrip('.').lower()})"
        ) from None
    if not words:
        raise CommandError("its command is empty")
    return words


def server_command(words: tuple[str, ...]) -> ServerCommand | None:
    """Return the parts of a command that runs llama-server itself; None for any other command.

    A container or a shell that runs llama-server is another command: its files are elsewhere, or need the shell.
    """
    environment: list[tuple[str, str]] = []
    rest = list(words)
    if PurePath(rest[0]).name == _ENV:
        rest.pop(0)
        while rest and "=" in rest[0] and not rest[0].startswith("-"):
            name, _, value = rest.pop(0).partition("=")
            environment.append((name, value))
    if not rest or not _name_of(rest[0]).startswith(_SERVER):
        return None
    return ServerCommand(rest[0], tuple(rest[1:]), tuple(environment))


def _name_of(program: str) -> str:
    """Return the file name of a program, whose path may be one of Windows."""
    return program.replace("\\", "/").rpartition("/")[2].lower()


def _without_backslash(line: str) -> str:
    stripped = line.strip()
    return stripped.removesuffix("\\") + " " if stripped.endswith("\\") else line
