"""Completes the commands of a chat and their arguments. Pure, except for the given functions."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

from gglib.cli.chat.input.images import IMAGE_SUFFIXES
from gglib.cli.chat.settings import SETTING_NAMES, THINK, THINK_VALUES
from gglib.cli.chat.slash_commands import COMMANDS


class Suggestion(NamedTuple):
    """A text that replaces the last ``length`` characters before the cursor."""

    text: str
    length: int


class Sources(NamedTuple):
    """Where completions come from; each is called only when it is needed."""

    models: Callable[[], Sequence[str]]
    chats: Callable[[], Sequence[str]]
    files: Callable[[str], Iterable[str]]
    """The entries of a directory, with ``/`` after the name of a directory."""


def suggestions(before: str, sources: Sources) -> Iterator[Suggestion]:
    """Yield the completions of a line, of which ``before`` is the part before the cursor."""
    if not before.startswith("/") or "\n" in before:
        return
    command, space, argument = before.partition(" ")
    if not space:
        yield from _matching(before, (f"/{known.name}" for known in COMMANDS))
        return
    argument = argument.lstrip()
    if command in {"/model", "/models"}:
        yield from _matching(argument, sources.models())
    elif command in {"/load", "/save"}:
        yield from _matching(argument, sources.chats())
    elif command in {"/image", "/img"}:
        yield from _matching_files(argument, sources)
    elif command == "/set":
        name, space, value = argument.partition(" ")
        known: Iterable[str] = THINK_VALUES if name == THINK else ()
        yield from _matching(value, known) if space else _matching(name, SETTING_NAMES)


def _matching(start: str, texts: Iterable[str]) -> Iterator[Suggestion]:
    folded = start.casefold()
    for text in texts:
        if text.casefold().startswith(folded) and text != start:
            yield Suggestion(text, len(start))


def _matching_files(start: str, sources: Sources) -> Iterator[Suggestion]:
    folder, slash, name = start.rpartition("/")
    for entry in sorted(sources.files(folder + slash)):
        is_offered = entry.endswith("/") or PurePosixPath(entry).suffix.casefold() in IMAGE_SUFFIXES
        is_hidden = entry.startswith(".") and not name.startswith(".")
        if is_offered and not is_hidden:
            yield from _matching(name, [entry])
