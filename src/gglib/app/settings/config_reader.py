"""Reads ``config.toml`` and refuses unknown keys; the values are parsed by ``loading``."""

import tomllib
from pathlib import Path

from gglib.app.settings.access_keys import KEY_FIELDS
from gglib.app.settings.definitions import SETTINGS
from gglib.app.settings.setting_parsing import parse_setting
from gglib.app.settings.suggestions import suggestion
from gglib.core.errors import InvalidSettingError
from gglib.system.files.small_files import read_small

_KEYS = "api_keys"
_ALIASES = "aliases"
_READABLE_BY_OTHERS = 0o044


def read_config(path: Path) -> tuple[dict[str, object], tuple[str, ...]]:
    """Return the settings of the file, and warnings about the file. Raises ``InvalidSettingError``."""
    config, mode = _read(path)
    _refuse_unknown(path, config)
    if mode & _READABLE_BY_OTHERS and config.get(_KEYS):
        return config, (
            f"{path} contains access keys and is readable by other users: run 'chmod 600 {path}'.",
        )
    return config, ()


def read_content(path: Path) -> dict[str, object]:
    """Return the content of the file, with unknown keys and invalid values. Raises ``InvalidSettingError``."""
    return _read(path)[0]


def check_config(path: Path) -> list[str]:
    """Return a sentence for each problem of the file: its form, unknown keys and invalid values."""
    try:
        config, _ = read_config(path)
    except InvalidSettingError as error:
        return [str(error)]
    return _value_problems(path, config)


def check_content(name: Path, content: bytes) -> list[str]:
    """Return a sentence for each problem of settings that are no file yet; ``name`` is their name in the sentences."""
    try:
        config = _parse_config(name, content)
        _refuse_unknown(name, config)
    except InvalidSettingError as error:
        return [str(error)]
    return _value_problems(name, config)


def _value_problems(path: Path, config: dict[str, object]) -> list[str]:
    problems = []
    for spec in SETTINGS:
        if spec.key in config:
            try:
                parse_setting(spec, config[spec.key], f"'{spec.key}' in {path}")
            except InvalidSettingError as error:
                problems.append(str(error))
    return problems


def first_problem(path: Path) -> str | None:
    """Return the first of the file's problems, as a sentence; None for a valid file."""
    return next(iter(check_config(path)), None)


def _read(path: Path) -> tuple[dict[str, object], int]:
    """Return the content of the file and its mode; nothing and 0 if it is missing."""
    try:
        content = read_small(path, follows_links=True)
        mode = path.stat().st_mode
    except FileNotFoundError:
        return {}, 0
    except OSError as error:
        raise InvalidSettingError(
            f"{path} cannot be read ({error.strerror or error}): make it a regular file that this user can read."
        ) from error
    return _parse_config(path, content), mode


def _parse_config(path: Path, content: bytes) -> dict[str, object]:
    """Parse the settings; a byte order mark and ``CR LF`` are accepted, because some editors write them."""
    try:
        config: dict[str, object] = tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise InvalidSettingError(f"{path} is not UTF-8: save it as UTF-8.") from error
    except tomllib.TOMLDecodeError as error:
        raise InvalidSettingError(f"{path} is not valid TOML: {error}.") from error
    except RecursionError as error:
        raise InvalidSettingError(f"{path} cannot be parsed: it is nested too deeply.") from error
    return config


def _refuse_unknown(path: Path, config: dict[str, object]) -> None:
    known = [spec.key for spec in SETTINGS]
    for key in config:
        if key not in known:
            raise InvalidSettingError(f"{path} sets the unknown key '{key}'{suggestion(key, known)}")
    for name, meaning in ((_KEYS, "an access key"), (_ALIASES, "an alias")):
        table = config.get(name)
        for key in table if isinstance(table, dict) else ():
            if key in known:
                raise InvalidSettingError(
                    f"{path} sets '{key}' inside [{name}], where it is {meaning}: move it above that line."
                )
    _refuse_settings_of_keys(path, config.get(_KEYS), known)


def _refuse_settings_of_keys(path: Path, table: object, known: list[str]) -> None:
    """Refuse settings after the header of the table of one key, to which TOML adds them."""
    if not isinstance(table, dict):
        return
    nested = {key for entry in table.values() if isinstance(entry, dict) for key in entry}
    for key in known:
        if key in nested and key not in KEY_FIELDS:
            raise InvalidSettingError(
                f"{path} sets '{key}' inside a table of a key: move it above [{_KEYS}]."
            )
