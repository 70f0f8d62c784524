"""What a model may be called. Pure."""

from collections.abc import Iterable

from gglib.core.errors import InvalidSettingError, ModelExistsError

MAX_NAME_LENGTH = 200
"""In characters. Longer than any name on a model hub; short enough for a log line."""


def check_name(name: str) -> None:
    """Raise ``InvalidSettingError`` when nothing may be called so."""
    check_text(name, "model name")
    if name.isdecimal():
        raise InvalidSettingError(f"The model name '{name}' would be taken for an id: add a letter to it.")


def check_aliases(aliases: Iterable[str], *, name: str) -> None:
    """Raise ``InvalidSettingError`` for an alias that is no name, ``ModelExistsError`` for one given twice."""
    seen = {name.casefold()}
    for alias in aliases:
        check_name(alias)
        if alias.casefold() in seen:
            raise ModelExistsError(f"Model '{name}' is called '{alias}' already: give each alias once.")
        seen.add(alias.casefold())


def check_text(text: str, kind: str) -> None:
    """Raise ``InvalidSettingError`` for what cannot be shown in one line; ``kind`` is what the error calls it."""
    if not text or text != text.strip():
        raise InvalidSettingError(f"A {kind} must not be empty, nor begin or end with a blank.")
    if len(text) > MAX_NAME_LENGTH:
        raise InvalidSettingError(
            f"A {kind} of {len(text)} characters is too long: use at most {MAX_NAME_LENGTH}."
        )
    if not text.isprintable():
        raise InvalidSettingError(
            f"The {kind} {text!a} has characters that cannot be printed: leave them out."
        )
