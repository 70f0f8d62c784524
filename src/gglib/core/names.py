"""Resolves a name to a model: exact name, alias, database id, then a unique match ignoring case.

If nothing matches, the name is tried with or without the tag ``:latest``, which Ollama's clients add to names.
"""

import difflib
from collections.abc import Iterable, Sequence

from gglib.core.errors import ModelNotFoundError
from gglib.core.models import ModelSummary
from gglib.core.name_rules import normalized_name
from gglib.core.ports.catalog import ModelCatalogPort

MAX_CANDIDATES = 3
MAX_OTHERS = 10
"""Number of names in an error without similar names: enough for most catalogues, short enough for a sentence."""
LATEST_TAG = ":latest"
MIN_SUBSTRING_CHARACTERS = 3
"""In characters: shorter texts are part of nearly every name."""


def find_model(name: str, models: Sequence[ModelSummary]) -> ModelSummary | None:
    """Return the model that ``name`` resolves to, or None if there is none or more than one."""
    for model in models:
        if model.name == name:
            return model
    for model in models:
        if name in model.aliases:
            return model
    if name.isascii() and name.isdigit():
        for model in models:
            if str(model.id) == name:
                return model
    matches = _matches_ignoring_case(name, models) or _matches_with_other_tag(name, models)
    return matches[0] if len(matches) == 1 else None


async def require_model(catalog: ModelCatalogPort, name: str) -> ModelSummary:
    """Return the model that ``name`` resolves to. Raises ``ModelNotFoundError`` with similar names."""
    model = await catalog.resolve_model(name)
    if model is None:
        raise not_found(name, await catalog.list_models())
    return model


def not_found(name: str, models: Sequence[ModelSummary]) -> ModelNotFoundError:
    """Return the error with similar names."""
    matches = _matches_ignoring_case(name, models) or _matches_with_other_tag(name, models)
    if len(matches) > 1:
        return ModelNotFoundError(name, tuple(model.name for model in matches), is_ambiguous=True)
    near = _close_matches(name, (spelling for model in models for spelling in _spellings(model)))
    return ModelNotFoundError(
        name, near, others=tuple(model.name for model in models[:MAX_OTHERS]), total=len(models)
    )


def _spellings(model: ModelSummary) -> tuple[str, ...]:
    return (model.name, *model.aliases)


def _matches_ignoring_case(name: str, models: Sequence[ModelSummary]) -> list[ModelSummary]:
    folded = normalized_name(name).casefold()
    return [
        model for model in models if any(folded == normalized_name(s).casefold() for s in _spellings(model))
    ]


def _matches_with_other_tag(name: str, models: Sequence[ModelSummary]) -> list[ModelSummary]:
    """Return the matches of the name with, or without, the tag ``:latest``: exact matches, else ignoring case."""
    is_tagged = name.casefold().endswith(LATEST_TAG)
    twin = name[: -len(LATEST_TAG)] if is_tagged else name + LATEST_TAG
    exact = [model for model in models if twin in _spellings(model)]
    return exact[:1] or _matches_ignoring_case(twin, models)


def _close_matches(name: str, spellings: Iterable[str]) -> tuple[str, ...]:
    by_folded = {spelling.casefold(): spelling for spelling in spellings}
    folded = name.casefold()[:200]
    close = difflib.get_close_matches(folded, by_folded, n=MAX_CANDIDATES, cutoff=0.6)
    is_long_enough = len(folded) >= MIN_SUBSTRING_CHARACTERS
    within = sorted(key for key in by_folded if is_long_enough and folded in key and key not in close)
    return tuple(by_folded[key] for key in (*close, *within)[:MAX_CANDIDATES])
