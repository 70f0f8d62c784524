"""Parses the options of ``gglib profile set`` and applies them to a profile."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gglib.core.errors import InvalidSettingError
from gglib.core.profiles import Profile

FILE_PREFIX = "@"
"""Before the path of a file with the text, as in curl."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileChanges:
    """The options that are given; None: not given."""

    description: str | None = None
    system: str | None = None
    """The prompt; empty: none."""
    defaults: Mapping[str, Any]
    unset: tuple[str, ...] = ()
    template_kwargs: Mapping[str, Any] | None = None
    strip: tuple[str, ...] | None = None

    def applied_to(self, known: Profile | None, name: str) -> Profile:
        """Return the changed profile. Raises ``InvalidSettingError`` for removing a default that it does not have."""
        profile = Profile(name=name) if known is None else known
        defaults = {**profile.defaults, **self.defaults}
        for unset in self.unset:
            if unset not in defaults:
                has = f"it has {', '.join(defaults)}" if defaults else "it has none"
                raise InvalidSettingError(f"Profile '{name}' has no default '{unset}': {has}.")
            del defaults[unset]
        return replace(
            profile,
            description=profile.description if self.description is None else self.description,
            system=profile.system if self.system is None else self.system or None,
            defaults=defaults,
            template_kwargs=profile.template_kwargs if self.template_kwargs is None else self.template_kwargs,
            strip=profile.strip if self.strip is None else self.strip,
        )


def parse_fields(texts: Iterable[str]) -> dict[str, Any]:
    """Return the fields of ``--set FIELD=JSON``. Raises ``InvalidSettingError``."""
    fields: dict[str, Any] = {}
    for text in texts:
        name, _, value = text.partition("=")
        try:
            fields[name] = json.loads(value)  # an empty text is no JSON
        except (ValueError, RecursionError):
            raise InvalidSettingError(
                f"--set is {text!r}, but it must be FIELD=JSON, such as 'mirostat=2' or 'mode=\"fast\"'."
            ) from None
    return fields


def parse_template_kwargs(text: str) -> dict[str, Any]:
    """Return the object of ``--template-kwargs``. Raises ``InvalidSettingError``."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise InvalidSettingError(
            f"--template-kwargs is {text!r}, but it must be a JSON object, such as "
            "'{\"enable_thinking\": false}'."
        )
    return value


def read_system(text: str) -> str:
    """Return the prompt of ``--system TEXT|@FILE``. Raises ``InvalidSettingError`` if the file cannot be read."""
    if not text.startswith(FILE_PREFIX):
        return text
    path = Path(text.removeprefix(FILE_PREFIX))
    try:
        return path.read_text(encoding="utf-8").rstrip("\n")
    except UnicodeDecodeError:
        raise InvalidSettingError(f"{path} is not UTF-8 text: convert it.") from None
    except OSError as error:
        raise InvalidSettingError(f"{path} cannot be read ({error.strerror}): name another file.") from None
