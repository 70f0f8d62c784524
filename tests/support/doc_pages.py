"""Reads the fenced blocks of a documentation page, and the markers that say which commands cannot be run here. Pure.

A marker is a comment before a block, which readers do not see::

    <!-- not run: REASON -->                 the whole block
    <!-- not run (BEGINNING): REASON -->     its command that begins so
"""

import re
import shlex
import textwrap
from dataclasses import dataclass, field

_FENCE = re.compile(r"^( *)```(\w*) *$")
_MARKER = re.compile(r"^ *<!-- not run(?: \((.+?)\))?: (.+?) -->$")

PROGRAMS = frozenset(
    (
        "cat",
        "chmod",
        "cp",
        "curl",
        "do",
        "done",
        "echo",
        "export",
        "gglib",
        "git",
        "mv",
        "openssl",
        "python",
        "while",
    )
)
"""Programs and words of the shell that pages may have in commands that are run: none installs, or asks for rights."""
_SEPARATORS = frozenset("();|&")


@dataclass(frozen=True, slots=True)
class Marker:
    """Why a block, or its command that begins with ``beginning``, cannot be run by the tests."""

    beginning: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A fenced block. ``line`` is that of its first line, counted from 1."""

    page: str
    line: int
    language: str
    text: str
    markers: tuple[Marker, ...] = ()

    def is_run(self, command: str) -> bool:
        """Whether no marker excludes this command of the block."""
        return not any(command.startswith(marker.beginning) for marker in self.markers)


@dataclass(slots=True)
class _Open:
    indent: str
    language: str
    line: int
    lines: list[str] = field(default_factory=list)


def blocks_of(page: str, markdown: str) -> list[Block]:
    """Return the blocks of a page in order. Raises ValueError for a marker without a block, and an open block."""
    blocks: list[Block] = []
    markers: list[Marker] = []
    fence: _Open | None = None
    for number, line in enumerate(markdown.splitlines(), 1):
        if fence is not None:
            if line.strip() == "```":
                text = textwrap.dedent("\n".join(fence.lines)) + "\n"
                found = Block(
                    page=page, line=fence.line, language=fence.language, text=text, markers=tuple(markers)
                )
                blocks.append(found)
                fence, markers = None, []
            else:
                fence.lines.append(line)
        elif opening := _FENCE.match(line):
            fence = _Open(indent=opening[1], language=opening[2], line=number + 1)
        elif marker := _MARKER.match(line):
            markers.append(Marker(beginning=marker[1] or "", reason=marker[2]))
        elif line.strip() and markers:
            raise ValueError(f"{page}:{number}: a marker stands before a block, and this is none: {line!r}")
    if fence is not None or markers:
        raise ValueError(f"{page}: a block is open at the end, or a marker has no block")
    return blocks


def commands_of(text: str) -> list[str]:
    """Return the commands of a block: continued lines are joined; empty lines and comments are left out."""
    lines = text.replace("\\\n", " ").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.strip().startswith("#")]


def foreign_programs(command: str) -> list[str]:
    """Return the programs of a command that tests must not start: they could change the machine that runs the tests."""
    lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
    found, is_first = [], True
    for word in lexer:
        if set(word) <= _SEPARATORS:
            is_first = True
        elif is_first and not re.match(r"\w+=", word):
            is_first = False
            if word not in PROGRAMS:
                found.append(word)
    if re.match(r"gglib service\b(?!.* --print\b)", command):
        found.append("gglib service")
    return found


def typed_lines(text: str) -> list[str]:
    """Return what was typed in a record of a terminal: the lines after the prompt ``$``."""
    return [line.removeprefix("$ ") for line in text.splitlines() if line.startswith("$ ")]
