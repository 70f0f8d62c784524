"""Checks the names and patterns of models in the settings against the catalogue. Pure."""

import re
from collections.abc import Iterator, Sequence

from gglib.app.settings.definitions import Settings
from gglib.app.settings.recording_names import recording_name_warnings
from gglib.core.models import ModelSummary
from gglib.core.names import find_model, not_found
from gglib.core.profiles import Profile, find_profiled, profile_not_found
from gglib.proxy.access.model_filter import ModelFilter
from gglib.proxy.names.aliases import AliasLists
from gglib.proxy.names.patterns import is_pattern

_GLOB = re.compile(r"[*?\[]")


def name_warnings(
    settings: Settings, models: Sequence[ModelSummary], profiles: Sequence[Profile]
) -> Iterator[str]:
    """Yield a sentence for each name in the settings that is unknown, or that another name overrides."""
    lists = AliasLists(settings.aliases)
    aliases = [
        ModelSummary(id=-1, name=alias)
        for alias in settings.aliases
        if not is_pattern(alias) and find_model(alias, models) is None
    ]
    known = [*models, *aliases]
    for name in settings.preload:
        if find_model(name, known) is None and not lists.matching(name):
            yield f"Setting 'preload': {_unknown(name, known, profiles)}"
    default = settings.default_model
    if default is not None and not (
        find_model(default, known) or find_profiled(default, models, profiles) or lists.matching(default)
    ):
        yield f"Setting 'default_model': {profile_not_found(default, known, profiles)}"
    for alias, names in settings.aliases.items():
        if not is_pattern(alias) and find_model(alias, models) is not None:
            yield f"Setting 'aliases': '{alias}' is the name of a model, so the alias is ignored."
        for name in names:
            if find_model(name, models) is None:
                yield f"Setting 'aliases', '{alias}': {_unknown(name, models, profiles)}"
    yield from recording_name_warnings(settings, models, list(settings.aliases))
    if models:  # in an empty catalogue no pattern can match yet
        yield from _pattern_warnings(settings, models, aliases)


def _unknown(name: str, models: Sequence[ModelSummary], profiles: Sequence[Profile]) -> str:
    """Return why a name cannot be used where a model is needed."""
    profiled = find_profiled(name, models, profiles)
    if profiled is None:
        return str(not_found(name, models))
    return f"'{name}' is a model with a profile, which only requests can use: set '{profiled.model.name}'."


def _pattern_warnings(
    settings: Settings, models: Sequence[ModelSummary], aliases: Sequence[ModelSummary]
) -> Iterator[str]:
    """Yield a sentence for each pattern of a key that allows no model."""
    for key_name, key in settings.api_keys.items():
        for pattern in key.models:
            allows = ModelFilter((pattern,)).allows
            if pattern == "*" or any(map(allows, models)):
                continue
            setting = f"Setting 'api_keys', 'models' of '{key_name}'"
            if any(map(allows, aliases)):
                yield f"{setting}: '{pattern}' matches only names of [aliases]: name their models instead."
            elif _GLOB.search(pattern) is None:
                yield f"{setting}: {not_found(pattern, models)}"
            else:
                yield f"{setting}: the pattern '{pattern}' matches no model."
