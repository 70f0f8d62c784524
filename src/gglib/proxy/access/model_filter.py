"""Decides which models a key may use, by globs on their names. Pure."""

import re
from collections.abc import Callable, Iterable
from fnmatch import translate

from gglib.core.models import ModelSummary
from gglib.core.name_rules import normalized_name


class ModelFilter:
    """The models of which the name or an alias matches one of ``patterns``; without patterns: no model.

    Patterns are those of ``fnmatch`` and match whole names, ignoring case and Unicode form like name resolution
    (``core.names``). ``*`` also matches slashes.
    """

    __slots__ = ("_matchers",)

    def __init__(self, patterns: Iterable[str]) -> None:
        self._matchers: tuple[Callable[[str], re.Match[str] | None], ...] = tuple(
            re.compile(translate(_folded(pattern))).match for pattern in patterns
        )

    def allows(self, model: ModelSummary) -> bool:
        """Whether the model may be used."""
        names = [_folded(name) for name in (model.name, *model.aliases)]
        return any(matches(name) is not None for matches in self._matchers for name in names)


def _folded(name: str) -> str:
    return normalized_name(name).casefold()
