"""Decides which bodies are recorded (the setting ``record_bodies``). Pure."""

import re
from collections.abc import Callable, Iterable, Sequence
from fnmatch import translate

from gglib.core.name_rules import normalized_name
from gglib.core.names import LATEST_TAG

KEY, MODEL = "key", "model"
"""The kinds of patterns: ``key:alice``, ``model:qwen*``."""


class _Globs:
    __slots__ = ("_matchers",)

    def __init__(self, globs: Iterable[str]) -> None:
        self._matchers: tuple[Callable[[str], re.Match[str] | None], ...] = tuple(
            re.compile(translate(_folded(glob))).match for glob in globs
        )

    def __bool__(self) -> bool:
        return bool(self._matchers)

    def match(self, name: str | None) -> bool:
        if name is None or not self._matchers:
            return False
        folded = _folded(name)
        names = (folded, folded.removesuffix(LATEST_TAG))
        return any(matches(spelling) is not None for matches in self._matchers for spelling in names)


class RecordingRule:
    """The requests whose bodies are recorded; immutable.

    ``setting``: True for all, False for none, or patterns ``key:GLOB`` and ``model:GLOB``, of which one has to match.
    Globs are those of ``fnmatch`` and match whole names, ignoring case and Unicode form like name resolution. A model
    matches by its catalogue name and by the name in the request, also without the tag ``:latest``.
    """

    __slots__ = ("_is_all", "_keys", "_models", "_setting")

    def __init__(self, setting: bool | Sequence[str]) -> None:  # noqa: FBT001 - the form of the setting
        self._setting = setting if isinstance(setting, bool) else tuple(setting)
        self._is_all = setting is True
        patterns = [] if isinstance(setting, bool) else [pattern.split(":", 1) for pattern in setting]
        self._keys = _Globs(glob for kind, glob in patterns if kind == KEY)
        self._models = _Globs(glob for kind, glob in patterns if kind == MODEL)

    def __eq__(self, other: object) -> bool:
        """Whether both are of the same setting."""
        return isinstance(other, RecordingRule) and self._setting == other._setting

    def __hash__(self) -> int:
        return hash(self._setting)

    def __bool__(self) -> bool:
        """Whether any bodies are recorded."""
        return self._is_all or bool(self._keys) or bool(self._models)

    def may_record(self, key_name: str | None) -> bool:
        """Whether a request with this key may be recorded: the model, which is known later, may still decide."""
        return self._is_all or bool(self._models) or self._keys.match(key_name)

    def records(self, key_name: str | None, *model_names: str | None) -> bool:
        """Whether a request with this key and these names of its model is recorded."""
        return self._is_all or self._keys.match(key_name) or any(map(self._models.match, model_names))


NO_RECORDING = RecordingRule(False)


def matches_glob(glob: str, name: str) -> bool:
    """Whether the glob of a pattern matches a name."""
    return _Globs((glob,)).match(name)


def _folded(name: str) -> str:
    return normalized_name(name).casefold()
