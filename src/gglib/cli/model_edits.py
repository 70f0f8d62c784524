"""What a command changes of a model, field by field. Pure: it runs inside the catalogue's transaction."""

from collections.abc import Sequence

from gglib.core.errors import InvalidSettingError
from gglib.core.models import ModelSummary


def edit_aliases(
    model: ModelSummary, *, replacement: tuple[str, ...] | None, added: Sequence[str], removed: Sequence[str]
) -> tuple[str, ...]:
    """Return a model's aliases: ``replacement`` of those that it has (None: those), with and without single ones.

    Case is ignored. Adding one that it has changes nothing; raises ``InvalidSettingError`` for removing one that it
    has not, because that is a slip.
    """
    aliases = list(model.aliases if replacement is None else replacement)
    for alias in removed:
        kept = [one for one in aliases if one.casefold() != alias.casefold()]
        if len(kept) == len(aliases):
            raise InvalidSettingError(f"Model '{model.name}' has no alias '{alias}': {_alias_list(aliases)}.")
        aliases = kept
    for alias in added:
        if alias.casefold() not in {one.casefold() for one in aliases}:
            aliases.append(alias)
    return tuple(aliases)


def _alias_list(aliases: Sequence[str]) -> str:
    return f"it has {', '.join(map(repr, aliases))}" if aliases else "it has none"
