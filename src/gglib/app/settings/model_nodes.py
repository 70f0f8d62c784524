"""Parses the setting ``model_nodes``: a TOML table by model, or a line. Pure."""

import re
from collections.abc import Iterable, Mapping

from gglib.app.settings.alias_lists import InvalidEntryError
from gglib.app.settings.parsers import InvalidValueError
from gglib.core.errors import InvalidSettingError
from gglib.core.name_rules import check_name

TABLE_FORM = 'qwen-70b = ["gpu*", "tower"] or llama = "box"'
TEXT_FORM = "qwen-70b=gpu*,tower; llama=box"
PATTERN_FORM = "the name of a node, in which '*' stands for any characters"
_PATTERN = re.compile(r"[A-Za-z0-9._\-*]{1,64}")


def parse_model_nodes(value: object) -> dict[str, tuple[str, ...]]:
    """Return patterns of nodes by model, from a TOML table or a text: ``qwen-70b=gpu*,tower; llama=box``.

    A list has no duplicates. Raises ``InvalidEntryError``, or ``InvalidValueError`` for another type.
    """
    if isinstance(value, str):
        return _parse_text(value)
    if not isinstance(value, Mapping):
        raise InvalidValueError
    return {model: _parse_entry(model, patterns) for model, patterns in value.items()}


def parse_patterns(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the patterns in texts of one or several, separated by commas, without duplicates.

    Raises ``InvalidSettingError`` for what no node can be called.
    """
    patterns = tuple(
        dict.fromkeys(part.strip() for text in texts for part in text.split(",") if part.strip())
    )
    for pattern in patterns:
        if not _PATTERN.fullmatch(pattern):
            raise InvalidSettingError(f"'{pattern}' is not {PATTERN_FORM}.")
    return patterns


def _parse_text(text: str) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for entry in text.split(";"):
        model, mark, patterns = (part.strip() for part in entry.partition("="))
        if not mark:
            raise _error(f"has the entry '{entry.strip()}', which has no '='", TEXT_FORM)
        if model in found:
            raise _error(f"has '{model}' twice", TEXT_FORM)
        found[model] = _checked(model, [patterns], TEXT_FORM)
    return found


def _parse_entry(model: str, value: object) -> tuple[str, ...]:
    patterns = [value] if isinstance(value, str) else value
    if not isinstance(patterns, list) or not all(isinstance(pattern, str) for pattern in patterns):
        raise _error(
            f"has the model '{model}' with {value!r}, which is neither a name nor a list", TABLE_FORM
        )
    return _checked(model, patterns, TABLE_FORM)


def _checked(model: str, texts: Iterable[str], form: str) -> tuple[str, ...]:
    try:
        check_name(model)
        patterns = parse_patterns(texts)
    except InvalidSettingError as error:
        text = str(error).removesuffix(".")
        raise _error(f"has an entry for {model!r} that is not valid ({text})", form) from None
    if not patterns:
        raise _error(f"has the model '{model}' without a node", form)
    return patterns


def _error(what: str, form: str) -> InvalidEntryError:
    return InvalidEntryError(f"{what}: write it like {form}.")
