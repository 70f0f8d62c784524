"""Edits of a model's aliases. Pure: runs inside the catalogue's transaction."""

from collections.abc import Sequence

from gglib.core.errors import InvalidSettingError
from gglib.core.models import ModelSummary


def edit_aliases(
    model: ModelSummary,
    *,
    replacement: tuple[str, ...] | None,
    added: Sequence[str],
    removed: Sequence[str],
    new_name: str | None = None,
) -> tuple[str, ...]:
    """Return a model's aliases: its current ones, or ``replacement``, without ``removed`` and with ``added``.

    An alias that becomes the model's ``new_name`` is none any more. Case is ignored. Adding an existing alias changes
    nothing. Raises ``InvalidSettingError`` for removing an alias that the model does not have.
    """
    current = [alias for alias in model.aliases if alias.casefold() != (new_name or "").casefold()]
    aliases = current if replacement is None else list(replacement)
    for alias in removed:
        kept = [known for known in aliases if known.casefold() != alias.casefold()]
        if len(kept) == len(aliases):
            raise InvalidSettingError(f"Model '{model.name}' has no alias '{alias}': {_alias_list(aliases)}.")
        aliases = kept
    for alias in added:
        if alias.casefold() not in {known.casefold() for known in aliases}:
            aliases.append(alias)
    return tuple(aliases)


def _alias_list(aliases: Sequence[str]) -> str:
    return f"it has {', '.join(map(repr, aliases))}" if aliases else "it has none"
