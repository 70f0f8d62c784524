"""Rules for model names and aliases. Pure."""

import unicodedata
from collections.abc import Iterable

from gglib.core.errors import InvalidSettingError, ModelExistsError
from gglib.core.models import ModelEdit, ModelSummary

MAX_NAME_LENGTH = 200
"""In characters: longer than any name on a model hub, short enough for a log line."""


PATH_SEGMENTS = frozenset((".", ".."))
"""Names that cannot be in a URL: clients resolve them as relative paths, also if they are percent-encoded (RFC 3986
section 5.2.4, https://url.spec.whatwg.org/#double-dot-path-segment)."""
_SEPARATOR = "-"
_PUNCTUATION = frozenset("_.+:-")


def normalized_name(name: str) -> str:
    """Return a name in NFC, the form that is stored and compared: keyboards produce NFC, macOS file names are NFD."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def slugify(text: str) -> str:
    """Return a text with each run of unsuitable characters replaced by one ``-``.

    Letters, digits, ``_ . + : -`` and combining marks are kept: in most Indic scripts the marks distinguish words.
    Joiners are not printable and are removed without a replacement.
    """
    kept: list[str] = []
    for character in normalized_name(text):
        if unicodedata.category(character) == "Cf":
            continue
        is_kept = character.isalnum() or character in _PUNCTUATION
        is_mark = unicodedata.category(character).startswith("M") and kept and kept[-1] != _SEPARATOR
        kept.append(character if is_kept or is_mark else _SEPARATOR)
    words = "".join(kept).split(_SEPARATOR)
    return _SEPARATOR.join(word for word in words if word) if any(words) else ""


def truncate_name(name: str, length: int) -> str:
    """Return at most ``length`` characters of a name, without separating a letter from its combining marks."""
    end = length
    while 0 < end < len(name) and unicodedata.category(name[end]).startswith("M"):
        end -= 1
    return name[:end]


def check_name(name: str) -> None:
    """Raise ``InvalidSettingError`` when nothing may be called so."""
    check_text(name, "model name")
    if name.isdecimal():
        raise InvalidSettingError(f"The model name '{name}' looks like an id: add a letter to it.")
    if name in PATH_SEGMENTS:
        raise InvalidSettingError(f"The model name '{name}' cannot be part of a URL: add a letter to it.")


def is_name(text: str) -> bool:
    """Whether a model may be called so."""
    try:
        check_name(text)
    except InvalidSettingError:
        return False
    return True


def check_aliases(aliases: Iterable[str], *, name: str) -> None:
    """Raise ``InvalidSettingError`` for an alias that is no name, ``ModelExistsError`` for one given twice."""
    seen = {name.casefold()}
    for alias in aliases:
        check_name(alias)
        if alias.casefold() in seen:
            raise ModelExistsError(f"Model '{name}' already has the name '{alias}': pass each alias once.")
        seen.add(alias.casefold())


def names_not_in(own: Iterable[str], wanted: Iterable[str]) -> tuple[str, ...]:
    """Return the wanted names without duplicates and without those in ``own``, ignoring case."""
    seen = {name.casefold() for name in own}
    kept: list[str] = []
    for name in wanted:
        if name.casefold() not in seen:
            seen.add(name.casefold())
            kept.append(name)
    return tuple(kept)


def renamed(model: ModelSummary, edit: ModelEdit) -> tuple[str, tuple[str, ...]]:
    """Return the name and the aliases of a model after an edit: a new name is no alias of the model any more.

    If they change, raises ``InvalidSettingError`` for one that is no name, ``ModelExistsError`` for one given twice.
    """
    aliases = model.aliases if edit.aliases is None else edit.aliases
    name = normalized_name(model.name if edit.name is None else edit.name)
    if edit.aliases is None and name != model.name:
        aliases = tuple(alias for alias in aliases if alias.casefold() != name.casefold())
    if name != model.name:
        check_name(name)
    if (name, aliases) != (model.name, model.aliases):
        check_aliases(aliases, name=name)
    return name, aliases


def check_text(text: str, kind: str) -> None:
    """Raise ``InvalidSettingError`` for a text that cannot be shown in one line; the message calls it ``kind``."""
    if not text or text != text.strip():
        raise InvalidSettingError(f"A {kind} must not be empty or begin or end with whitespace.")
    if len(text) > MAX_NAME_LENGTH:
        raise InvalidSettingError(
            f"A {kind} of {len(text)} characters is too long: use at most {MAX_NAME_LENGTH}."
        )
    if not text.isprintable():
        raise InvalidSettingError(
            f"The {kind} {text!a} has characters that cannot be printed: leave them out."
        )
