"""Writes the commands in messages as a user has to type them, given how the program was started. Pure.

Messages name commands as ``'gglib pull NAME'``, everywhere in the code and in errors that a server returns. That can be
typed if ``gglib`` is on the PATH and no global options are needed. Otherwise the functions that print messages replace
the program: ``'.venv/bin/gglib --home /data pull NAME'``. Errors over HTTP keep ``gglib``: their readers use other
machines. A command is recognized by its place: in quotes, at the begin of a line, or after a colon.
"""

import re
import shlex
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from gglib.core.plain_text import escape_line

PROGRAM = "gglib"
_WORD = r"(?P<word>--?[a-z][a-z-]*|[a-z]+)"
_QUOTED = re.compile(
    rf"(?P<quote>['\"`]){PROGRAM} (?={_WORD})(?P<rest>[^\n]*?)(?P=quote)(?P<after> on the server's| there\b|)"
)
_BARE = re.compile(rf"(?m)(?P<lead>^[ \t]*|:[ \t]+){PROGRAM} (?={_WORD})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """How this process was started, as shell text."""

    program: str = PROGRAM
    """The program, as words of a shell."""
    home: str | None = None
    """The option ``--home`` as it was given."""
    remote: tuple[str, ...] = ()
    """``--url`` and ``--key-env`` with their values, if they were given."""
    commands: Collection[str] = ()
    """The names of all commands."""
    remote_commands: Collection[str] = ()
    """Those that work on a remote server."""

    def prefix(self, command: str) -> str:
        """Return the program and the global options for a command, or for a global option."""
        if self.remote:
            # Other commands are for the server's own machine, where gglib may have been started in another way.
            options = self.remote if command in self.remote_commands else ()
            return f"{self.program} {shlex.join(options)}" if options else PROGRAM
        return self.program if self.home is None else f"{self.program} --home {shlex.quote(self.home)}"

    def is_command(self, word: str) -> bool:
        """Whether a word after ``gglib`` begins a command, unlike in "gglib runs"."""
        return word.startswith("-") or word in self.commands


def as_typed(text: str, invocation: Invocation) -> str:
    """Return the text with each gglib command as the user of this invocation has to type it."""
    if PROGRAM not in text:
        return text

    def quoted(match: re.Match[str]) -> str:
        if not invocation.is_command(match["word"]) or (invocation.remote and match["after"]):
            return match[0]
        command = f"{escape_line(invocation.prefix(match['word']))} {match['rest']}"
        quote = '"' if "'" in command and match["quote"] == "'" else match["quote"]
        return f"{quote}{command}{quote}{match['after']}"

    def bare(match: re.Match[str]) -> str:
        if not invocation.is_command(match["word"]):
            return match[0]
        return f"{match['lead']}{escape_line(invocation.prefix(match['word']))} "

    return _BARE.sub(bare, _QUOTED.sub(quoted, text))


def program_as_started(
    argv: Sequence[str],
    orig_argv: Sequence[str],
    *,
    is_on_path: bool,
    environ: Mapping[str, str],
    parent: Sequence[str] = (),
) -> str:
    """Return the program as shell text: ``gglib`` if that finds it, else the path or the module as it was started.

    ``argv`` and ``orig_argv`` are those of ``sys``; ``is_on_path`` is whether the PATH finds this program as
    ``gglib``; ``parent`` is the command line of the parent process, if known. ``uv run`` and ``uvx`` put the program on
    the PATH of their child only, and set ``UV`` there (``uv run`` also ``UV_RUN_RECURSION_DEPTH``): then their command
    line is the one to type.
    """
    script = PurePath(argv[0])
    if script.name == "__main__.py":
        return shlex.join(_without_end(orig_argv, argv[1:]))
    if script.name != PROGRAM:
        return PROGRAM
    if not is_on_path:
        return shlex.quote(argv[0])
    if "UV" not in environ:
        return PROGRAM
    if parent and PurePath(parent[0]).name in _UV_PROGRAMS and _ends_with(parent, argv[1:]):
        return shlex.join(_without_end(parent, argv[1:]))
    return f"uv run {PROGRAM}" if "UV_RUN_RECURSION_DEPTH" in environ else f"uvx {PROGRAM}"


_UV_PROGRAMS = frozenset(("uv", "uvx"))


def _ends_with(words: Sequence[str], end: Sequence[str]) -> bool:
    return list(words[len(words) - len(end) :]) == list(end)


def _without_end(words: Sequence[str], end: Sequence[str]) -> Sequence[str]:
    return words[: len(words) - len(end)]
