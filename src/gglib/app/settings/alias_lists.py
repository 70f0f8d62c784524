"""Parses the setting ``aliases``: a TOML table, or a line. Pure."""

from collections.abc import Iterable, Mapping

from gglib.app.settings.parsers import InvalidValueError
from gglib.core.errors import InvalidSettingError
from gglib.core.name_rules import check_name

TABLE_FORM = 'fast = ["qwen-4b", "smollm2"] or "gpt-*" = "coder"'
TEXT_FORM = "fast=qwen-4b,smollm2; gpt-*=coder"


class InvalidEntryError(InvalidValueError):
    """One entry of a table is invalid; the message names it and shows a valid form. It continues the source."""


def parse_aliases(value: object) -> dict[str, tuple[str, ...]]:
    """Return names of models by alias, from a TOML table or a text: ``fast=a,b; gpt-*=c``.

    A list has no duplicates. Raises ``InvalidEntryError``, or ``InvalidValueError`` for another type.
    """
    if isinstance(value, str):
        return _parse_text(value)
    if not isinstance(value, Mapping):
        raise InvalidValueError
    return {_parse_alias(alias, TABLE_FORM): _parse_members(alias, names) for alias, names in value.items()}


def _parse_text(text: str) -> dict[str, tuple[str, ...]]:
    lists: dict[str, tuple[str, ...]] = {}
    for entry in text.split(";"):
        alias, mark, names = (part.strip() for part in entry.partition("="))
        if not mark:
            raise _error(f"has the entry '{entry.strip()}', which has no '='", TEXT_FORM)
        alias = _parse_alias(alias, TEXT_FORM)
        if alias in lists:
            raise _error(f"has '{alias}' twice", TEXT_FORM)
        lists[alias] = _checked(alias, names.split(",") if names else [], TEXT_FORM)
    return lists


def _parse_members(alias: str, value: object) -> tuple[str, ...]:
    """Return the members of an entry of a table."""
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise _error(
            f"has the alias '{alias}' with {value!r}, which is neither a name nor a list", TABLE_FORM
        )
    return _checked(alias, names, TABLE_FORM)


def _parse_alias(alias: str, form: str) -> str:
    try:
        check_name(alias)
    except InvalidSettingError as error:
        raise _error(f"has {alias!r} as an alias ({_clause(error)})", form) from None
    return alias


def _checked(alias: str, names: Iterable[str], form: str) -> tuple[str, ...]:
    members = tuple(dict.fromkeys(name.strip() for name in names))
    if not members:
        raise _error(f"has the alias '{alias}' without a model", form)
    for name in members:
        if name.isdecimal():
            raise _error(f"has the alias '{alias}' with the number '{name}' instead of a model's name", form)
        try:
            check_name(name)
        except InvalidSettingError as error:
            raise _error(
                f"has the alias '{alias}' with {name!r} as a model ({_clause(error)})", form
            ) from None
    return members


def _clause(error: InvalidSettingError) -> str:
    text = str(error).removesuffix(".")
    return text[:1].lower() + text[1:]


def _error(what: str, form: str) -> InvalidEntryError:
    return InvalidEntryError(f"{what}: write it like {form}.")
