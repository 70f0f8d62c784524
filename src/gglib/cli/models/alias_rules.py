"""Decides what ``gglib alias`` may do. Pure."""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gglib.core.defaults import IN_MEMORY_ALIAS
from gglib.core.errors import InvalidSettingError
from gglib.core.models import ModelSummary
from gglib.core.name_rules import check_name, normalized_name
from gglib.core.names import MAX_CANDIDATES, MAX_OTHERS
from gglib.core.shell_quoting import quoted_command
from gglib.proxy.names.patterns import NamePattern, is_pattern


@dataclass(frozen=True, slots=True, kw_only=True)
class AliasChange:
    """A change of an alias that has been made."""

    name: str
    models: tuple[str, ...]
    """Its models; of a removed alias, those that it had."""
    is_in_config: bool
    previous: tuple[str, ...] = ()
    """The models that it had before."""
    note: str | None = None
    """A sentence about names that precede it."""


def is_same_name(first: str, second: str) -> bool:
    """Whether two names are one to name resolution."""
    return normalized_name(first).casefold() == normalized_name(second).casefold()


def is_for_config(name: str, models: Sequence[object]) -> bool:
    """Whether an alias is an entry of ``config.toml``: a model has no patterns, and an alias of its own only."""
    return is_pattern(name) or len(models) > 1


def check_alias(name: str, models: Iterable[ModelSummary]) -> None:
    """Raise ``InvalidSettingError`` for an alias that is no name, or that is the name of a model."""
    check_name(name)
    for model in models:
        if is_same_name(name, model.name):
            raise InvalidSettingError(
                f"'{model.name}' is the name of a model, which precedes every alias: choose another alias."
            )


def alias_owner(name: str, models: Iterable[ModelSummary]) -> ModelSummary | None:
    """Return the model that has the alias."""
    return next((model for model in models if any(is_same_name(name, own) for own in model.aliases)), None)


def own_spelling(name: str, names: Iterable[str]) -> str | None:
    """Return the name among ``names`` that is the same to name resolution; None if there is none."""
    return next((known for known in names if is_same_name(name, known)), None)


def without_alias(aliases: Sequence[str], name: str) -> tuple[str, ...]:
    """Return the aliases without one of them."""
    own = own_spelling(name, aliases)
    return tuple(alias for alias in aliases if alias != own)


def pattern_note(name: str, models: Iterable[ModelSummary]) -> str | None:
    """Return a sentence if a pattern also matches names of the catalogue, which keep their models."""
    if not is_pattern(name):
        return None
    matches = NamePattern(name).matches
    own = [spelling for model in models for spelling in (model.name, *model.aliases) if matches(spelling)]
    if not own:
        return None
    more = f" and {len(own) - MAX_OTHERS} more" if len(own) > MAX_OTHERS else ""
    return f"It also matches names in the catalogue, which keep their models: {', '.join(own[:MAX_OTHERS])}{more}."


def unknown_alias(name: str, known: Iterable[str], models: Iterable[ModelSummary]) -> InvalidSettingError:
    """Return the error for a name that is no alias; ``known`` are the aliases."""
    if any(is_same_name(name, model.name) for model in models):
        return InvalidSettingError(f"'{name}' is the name of a model: 'gglib alias' lists the aliases.")
    if is_same_name(name, IN_MEMORY_ALIAS):
        command = quoted_command("alias", IN_MEMORY_ALIAS, "MODEL")
        return InvalidSettingError(
            f"'{IN_MEMORY_ALIAS}' is built in and cannot be removed: {command} replaces it."
        )
    near = difflib.get_close_matches(name, list(known), n=MAX_CANDIDATES)
    hint = f"did you mean {' or '.join(near)}?" if near else "'gglib alias' lists the aliases."
    return InvalidSettingError(f"There is no alias '{name}': {hint}")
