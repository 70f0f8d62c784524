"""What a model may be called and hold before it is stored. Pure."""

from collections.abc import Iterable

from gglib.core.errors import InvalidSettingError, ModelExistsError
from gglib.core.models import ModelSettings, NewModel

MAX_NAME_LENGTH = 200
"""In characters. Longer than any name on a model hub; short enough for a log line."""


def check_new(model: NewModel) -> None:
    """Raise ``InvalidSettingError`` or ``ModelExistsError`` when the model can be stored in no catalogue."""
    check_name(model.name)
    check_aliases(model.aliases, name=model.name)
    check_tags(model.tags)
    check_settings(model.settings)
    check_files(model)


def check_files(model: NewModel) -> None:
    """Raise ``InvalidSettingError`` for a model without a file, or with hashes for other files than it has."""
    if not model.paths:
        raise InvalidSettingError(f"Model '{model.name}' has no file: name at least one.")
    if model.hashes and len(model.hashes) != len(model.paths):
        raise InvalidSettingError(
            f"Model '{model.name}' has {len(model.hashes)} hashes for {len(model.paths)} files: give one for each."
        )


def check_name(name: str) -> None:
    """Raise ``InvalidSettingError`` when nothing may be called so."""
    _check_text(name, "model name")
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


def check_tags(tags: Iterable[str]) -> None:
    """Raise ``InvalidSettingError`` for a tag that cannot be shown in one line."""
    for tag in tags:
        _check_text(tag, "tag")


def check_settings(settings: ModelSettings) -> None:
    """Raise ``InvalidSettingError`` for a number that makes no sense; engine arguments are not judged here."""
    if settings.context is not None and settings.context < 1:
        raise InvalidSettingError(f"A context of {settings.context} tokens is too small: set at least 1.")
    if settings.idle_ttl_s is not None and not settings.idle_ttl_s >= 0:  # so that NaN is refused, too
        raise InvalidSettingError(
            f"An idle time-to-live of {settings.idle_ttl_s} s is no time: set 0 or more."
        )


def _check_text(text: str, kind: str) -> None:
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
