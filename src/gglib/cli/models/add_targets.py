"""Distinguishes the arguments of ``gglib add``: files, directories, and models of the hub. Pure."""

import re
from collections.abc import Callable
from enum import Enum

from gglib.core.errors import InvalidGgufError, VariantChoiceError
from gglib.core.shell_quoting import quoted_command

_REMOTE = re.compile(r"https?://|hf://|(?:www\.)?huggingface\.co/|hf\.co/", re.IGNORECASE)
_PATH = re.compile(r"\.{0,2}/|~")
"""No name of a repository begins like this."""
SUFFIX = ".gguf"


class TargetKind(Enum):
    """The kind of an argument."""

    FILE = "file"
    DIRECTORY = "directory"
    HUB = "hub"
    """A target of ``gglib pull``."""


def kind_of_target(
    text: str, *, exists: Callable[[str], bool], is_directory: Callable[[str], bool]
) -> TargetKind:
    """Return the kind of an argument; a path that exists precedes a repository of the same spelling.

    A path that does not exist is a file if it looks like one: ``models/x.gguf``, or in a directory that exists.
    """
    if exists(text):
        return TargetKind.DIRECTORY if is_directory(text) else TargetKind.FILE
    if _REMOTE.match(text):
        return TargetKind.HUB
    first, slash, rest = text.partition("/")
    is_path = _PATH.match(text) is not None or not slash or exists(first)
    is_file_in_directory = "/" not in rest and ":" not in text and rest.lower().endswith(SUFFIX)
    return TargetKind.FILE if is_path or is_file_in_directory else TargetKind.HUB


def check_is_file(text: str, *, exists: Callable[[str], bool]) -> None:
    """Raise ``InvalidGgufError`` for a word, or an ``owner/name``, that is no file, with how to find such a model."""
    if exists(text) or text.lower().endswith(SUFFIX) or _PATH.match(text) is not None:
        return
    hint = {
        0: f"{quoted_command('search', text)} finds models of the hub",
        1: f"{quoted_command('pull', text)} downloads a model of the hub",
    }.get(text.count("/"))
    if hint is not None:
        raise InvalidGgufError(f"There is no file '{text}': {hint}.")


def check_hub_target(text: str) -> None:
    """Raise ``VariantChoiceError`` for what cannot be pulled; for a URL with the other way to add its file."""
    from gglib.library.variants.pull_target import read_target

    try:
        read_target(text)
    except VariantChoiceError as error:
        if "://" not in text:
            raise
        raise VariantChoiceError(
            f"{str(error).rstrip('.')}. Otherwise, download the file and add it: 'gglib add FILE'."
        ) from None
