"""The words of a command with placeholders, as ``CommandBackend.argv`` has them. Pure.

``{port}``, ``{socket}`` and so on are replaced at a launch; ``{{`` and ``}}`` stand for braces, so that JSON can be
written. A placeholder may be a part of a word: ``--port={port}``. No shell is involved.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from gglib.core.errors import InvalidSettingError

PLACEHOLDERS = {
    "port": "a free port of 127.0.0.1, to listen on",
    "socket": "the path of a unix socket in a private directory, to listen on",
    "model": "the path of the model's file",
    "ctx": "the context in tokens",
    "name": "the model's name in gglib",
    "key": "a random key of this launch, sent as a bearer token with each request; visible in the process list",
    "key_file": "the path of a private file with that key",
}
"""The placeholders with what they stand for."""

_PART = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


def check_template(words: Sequence[str], *, has_unix_sockets: bool, has_file: bool) -> None:
    """Check the words of a command before they are stored.

    ``has_unix_sockets``: whether this system has them; ``has_file``: whether the model has a file for ``{model}``.
    Raises ``InvalidSettingError``.
    """
    if not words or not words[0].strip():
        raise InvalidSettingError(
            "The command is empty: it needs a program, such as 'vllm serve NAME --port {port}'."
        )
    used = {name for word in words for name in _names(word)}
    if "socket" in used and not has_unix_sockets:
        raise InvalidSettingError(
            "This system has no unix sockets: write {port} in the command instead of {socket}."
        )
    if "model" in used and not has_file:
        raise InvalidSettingError(
            "The command has {model}, but the model has no file: add the file, or write its path instead."
        )
    if not used & {"port", "socket"}:
        raise InvalidSettingError(
            "The command does not say where to listen: write {port} or {socket} in it, such as '--port {port}'."
        )
    if {"port", "socket"} <= used:
        raise InvalidSettingError(
            "The command has both {port} and {socket}: keep the one that it listens on."
        )


def placeholders(words: Sequence[str]) -> frozenset[str]:
    """Return the placeholders in the words of a command. Raises ``InvalidSettingError`` for an unknown one."""
    return frozenset(name for word in words for name in _names(word))


def expand(words: Sequence[str], values: Mapping[str, str]) -> tuple[str, ...]:
    """Return the words with the values of their placeholders.

    Raises ``InvalidSettingError`` for a placeholder that is unknown or has no value.
    """
    return tuple(_expand(word, values) for word in words)


def _expand(word: str, values: Mapping[str, str]) -> str:
    def replacement(match: re.Match[str]) -> str:
        name = match[1]
        if name is None:
            return match[0][0]
        if name not in values:
            raise InvalidSettingError(f"The command has {{{name}}}, and this launch has no value for it.")
        return values[name]

    for _ in _names(word):
        pass  # raises for what cannot be read
    return _PART.sub(replacement, word)


def _names(word: str) -> Iterator[str]:
    """Yield the names of the placeholders of a word. Raises ``InvalidSettingError`` for an unknown one."""
    for match in _PART.finditer(word):
        if match[0] in {"{", "}"}:
            raise InvalidSettingError(
                f"The command has a single brace in '{word}': write {{{{ and }}}} for braces."
            )
        name = match[1]
        if name is None:
            continue
        if name not in PLACEHOLDERS:
            known = ", ".join(f"{{{known}}}" for known in PLACEHOLDERS)
            raise InvalidSettingError(
                f"The command has the unknown placeholder {{{name}}}: use {known}, or write {{{{ and }}}} for braces."
            )
        yield name
