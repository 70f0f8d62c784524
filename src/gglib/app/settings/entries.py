"""Settings by the names that users type, and values as ``config.toml`` has them. Pure.

A name is the key of a setting, or of an entry of its table: ``port``, ``aliases.fast``, ``memory.gpu0``,
``api_keys.jobs.models``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gglib.app.settings.access_keys import KEY_FIELDS, LIMITS
from gglib.app.settings.definitions import SETTINGS
from gglib.app.settings.parsers import parse_boolean, parse_list, parse_text
from gglib.app.settings.setting_parsing import parse_setting
from gglib.app.settings.spec import SettingSpec
from gglib.app.settings.suggestions import suggestion
from gglib.core.context import UNLIMITED_CONTEXT
from gglib.core.errors import InvalidSettingError

KEYS, ALIASES, MEMORY, NODES, MODEL_NODES = "api_keys", "aliases", "memory", "nodes", "model_nodes"
_TABLES = (KEYS, ALIASES, MEMORY, NODES, MODEL_NODES)
_NO_KEYS = "A key on the command line is visible to other users: 'gglib key new NAME' generates one."
_ADD_NODES = "'gglib node add URL' adds a node, and changes the address or the key of one."
_NAMES_FOR_NONE = {"max_models": "auto", "ollama_port": "off", "cluster_address": "off"}


@dataclass(frozen=True, slots=True)
class Entry:
    """A setting, or one entry of its table."""

    spec: SettingSpec
    path: tuple[str, ...]
    """The tables and the key in ``config.toml``."""

    @property
    def name(self) -> str:
        """The name as a user types it."""
        return ".".join(self.path)


def find_entry(name: str) -> Entry:
    """Return the entry with this name. Raises ``InvalidSettingError``, which suggests similar names."""
    specs = {spec.key: spec for spec in SETTINGS}
    if name in specs:
        return Entry(specs[name], (name,))
    table, dot, rest = name.partition(".")
    if dot and rest and table in _TABLES:
        key, dot, field = rest.rpartition(".")
        is_field = table == KEYS and dot and key and field in KEY_FIELDS
        return Entry(specs[table], (table, key, field) if is_field else (table, rest))
    if rest and table in specs:
        raise InvalidSettingError(f"'{table}' is not a table: it has no entry '{rest}'.")
    wanted = table if rest else name
    raise InvalidSettingError(f"There is no setting '{wanted}'{suggestion(wanted, tuple(specs))}")


def is_setting(name: str) -> bool:
    """Whether this is the key of a setting in ``config.toml``."""
    return any(name == spec.key for spec in SETTINGS)


def value_of(config: Mapping[str, Any], path: tuple[str, ...]) -> Any:  # noqa: ANN401 - any TOML value
    """Return the value at a path of the file's content; None if it is missing."""
    value: Any = config
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def config_value(entry: Entry, text: str, config: Mapping[str, Any]) -> object:
    """Return the value that a text has for an entry, in the form for ``config.toml``.

    ``config`` is the content of the file, for ``memory`` and ``api_keys``. Raises ``InvalidSettingError`` if
    the text is not valid for the setting.
    """
    if len(entry.path) > 1:
        return _table_value(entry, text, config)
    spec = entry.spec
    if spec.key == KEYS:
        raise InvalidSettingError(_NO_KEYS)
    if spec.key == NODES:
        raise InvalidSettingError(_ADD_NODES)
    if spec.key == ALIASES:
        raise InvalidSettingError(
            "Set one alias: 'gglib config set aliases.NAME MODEL', or 'gglib alias NAME MODEL'."
        )
    if spec.key == MODEL_NODES:
        raise InvalidSettingError("Set the nodes of one model: 'gglib set MODEL --nodes PATTERN'.")
    return _plain(spec, text, _parsed(spec, text))


def _plain(spec: SettingSpec, text: str, value: object) -> object:
    """Return a parsed value as TOML has it."""
    match value:
        case None:
            return _NAMES_FOR_NONE[spec.key]
        case int() if value == UNLIMITED_CONTEXT and spec.key == "ctx":
            return "max"
        case bool() | int() | float() | str():
            return value
        case tuple():
            return list(value)
        case Mapping():  # of memory, whose sizes stay as they were typed
            return _sizes(text)
    return str(value)


def _parsed(spec: SettingSpec, value: object) -> object:
    return parse_setting(spec, value, f"'{spec.key}'")


def _sizes(text: str) -> object:
    if "=" not in text:
        return text.strip()
    pairs = (item.partition("=") for item in text.split(","))
    return {device.strip().lower(): size.strip() for device, _, size in pairs}


def _table_value(entry: Entry, text: str, config: Mapping[str, Any]) -> object:
    table, name = entry.path[:2]
    existing = config.get(table, {})
    if table == KEYS:
        return _key_field(entry, text, config)
    if table == NODES:
        raise InvalidSettingError(_ADD_NODES)
    if table in {ALIASES, MODEL_NODES}:
        models = [model.strip() for model in text.split(",")]
        value: object = models[0] if len(models) == 1 else models
        _parsed(entry.spec, {name: value})
        return value
    if not isinstance(existing, Mapping):
        raise InvalidSettingError(
            f"'memory' is one size ({existing}): 'gglib config set memory ram={existing},{name}={text}' sets both."
        )
    _parsed(entry.spec, {name: text})
    return text.strip()


def _key_field(entry: Entry, text: str, config: Mapping[str, Any]) -> object:
    """Return the value of a field in the table of one key."""
    name, field = entry.path[1], entry.path[-1]
    existing = value_of(config, (KEYS, name))
    if len(entry.path) < 3 or field == "key":
        raise InvalidSettingError(_NO_KEYS)
    if not isinstance(existing, Mapping):
        problem = "has no table" if existing is not None else "does not exist"
        raise InvalidSettingError(
            f"The key '{name}' {problem}: 'gglib key list' shows the keys, 'gglib key new' makes one."
        )
    try:
        value = _field_value(field, text)
        entry.spec.parse({name: {**existing, field: value}})
    except ValueError as error:
        reason = f": {error}" if str(error) else ""
        raise InvalidSettingError(f"'{entry.name}' cannot be '{text}'{reason}.") from None
    return value


def _field_value(field: str, text: str) -> object:
    if field == "models":
        return list(parse_list(parse_text)(text))
    if field in LIMITS:
        return int(text) if text.strip().isdecimal() else text  # the check of the whole key states the bounds
    return parse_boolean(text) if field == "admin" else parse_text(text)
