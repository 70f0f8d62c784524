"""Which engine the settings choose, and the one before it."""

import json
from dataclasses import dataclass
from pathlib import Path

from gglib.app.settings import Settings, prepare_home
from gglib.app.settings.config_reader import read_content
from gglib.app.settings.config_writer import set_setting, unset_setting
from gglib.core.errors import EngineInstallError
from gglib.core.runtime.engine_choice import EMBEDDED, plugin_choice
from gglib.engine_store import EngineStore, InstalledEngine
from gglib.library.add import absolute_path
from gglib.system.files.rewriting import read_writable, replace_file
from gglib.system.files.small_files import parse_json, read_small

ENGINE = "engine"
"""The setting in ``config.toml``."""
AUTOMATIC = "auto"
"""In place of a name: no engine is configured, so gglib finds one by itself."""
_PREVIOUS = "previous.json"


@dataclass(frozen=True, slots=True)
class Choice:
    """A value of the setting ``engine``."""

    value: str | None
    """A path, ``embedded`` or ``plugin:NAME``; None: not set."""
    engine: InstalledEngine | None = None
    """The installed engine that the path belongs to."""

    @property
    def shown(self) -> str:
        """The engine as a user names it."""
        if self.engine is not None:
            return self.engine.name
        return AUTOMATIC if self.value is None else self.value


def current_choice(settings: Settings) -> Choice:
    """Return what ``config.toml`` chooses."""
    value = read_content(settings.config_path).get(ENGINE)
    return _choice(settings, value if isinstance(value, str) else None)


def previous_choice(settings: Settings) -> Choice | None:
    """Return what it chose before; None if nothing is known of that."""
    try:
        content = parse_json(read_small(settings.engines_dir / _PREVIOUS))
    except (OSError, ValueError):
        return None
    match content:
        case {"engine": str() | None as value}:
            return _choice(settings, value)
    return None


def find_choice(settings: Settings, target: str) -> Choice:
    """Return the choice that a user's word means: an engine's name, ``embedded``, ``auto``, ``plugin:NAME`` or a path.

    Raises ``EngineInstallError`` for a name that no engine has.
    """
    engine = EngineStore(settings.engines_dir).find(target)
    if engine is not None:
        return Choice(str(engine.program), engine)
    if target in {AUTOMATIC, str(EMBEDDED)}:
        return Choice(None if target == AUTOMATIC else target)
    if plugin_choice(target) is not None:
        return Choice(target)
    path = absolute_path(Path(target))
    if "/" in target or path.exists():
        return _choice(settings, str(path))
    names = [engine.name for engine in EngineStore(settings.engines_dir).engines()]
    known = f"installed are {', '.join(names)}" if names else "none is installed"
    raise EngineInstallError(
        f"There is no engine '{target}': {known}; 'gglib engine install' installs one, and 'embedded' is the one that "
        "comes with gglib."
    )


def choose(settings: Settings, choice: Choice) -> Choice:
    """Write the choice to ``config.toml``; return the one before, which is kept for going back.

    Raises ``InvalidSettingError`` if the file cannot be written.
    """
    before = current_choice(settings)
    if before.value == choice.value:
        return before
    prepare_home(settings)
    settings.engines_dir.mkdir(exist_ok=True)
    if choice.value is None:
        unset_setting(settings.config_path, (ENGINE,))
    else:
        set_setting(settings.config_path, (ENGINE,), choice.value)
    path = settings.engines_dir / _PREVIOUS
    _, found = read_writable(path)
    replace_file(path, json.dumps({"engine": before.value}).encode() + b"\n", found)
    return before


def _choice(settings: Settings, value: str | None) -> Choice:
    if value is None or value == str(EMBEDDED) or plugin_choice(value) is not None:
        return Choice(value)
    return Choice(value, EngineStore(settings.engines_dir).containing(absolute_path(Path(value))))
