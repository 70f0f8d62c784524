"""Loads the settings from their sources.

Defaults < ``config.toml`` in the home < ``GGLIB_*`` in the environment < the command line: later sources override
earlier ones.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import platformdirs

from gglib.app.clients.entries import KEY_VARIABLE as CLIENT_KEY_VARIABLE
from gglib.app.settings.config_reader import read_config
from gglib.app.settings.definitions import CONFIG_NAME, SETTINGS, Settings
from gglib.app.settings.parsers import parse_path
from gglib.app.settings.setting_parsing import parse_setting
from gglib.app.settings.spec import SettingSpec
from gglib.app.settings.suggestions import suggestion
from gglib.core.errors import InvalidSettingError
from gglib.system.files.file_state import read_state

HOME_VARIABLE = "GGLIB_HOME"
REMOTE_KEY_VARIABLE = "GGLIB_REMOTE_KEY"
"""The key that commands send to a remote server (``cli.remote.address``)."""
PLAIN_HTTP_HOSTS_VARIABLE = "GGLIB_PLAIN_HTTP_HOSTS"
"""The remote servers that commands may send a key to over http without a warning, by host names and addresses."""
CA_VARIABLE = "GGLIB_CA"
"""The certificates that commands trust for a remote server (``cli.remote.address``)."""


def load_settings(
    overrides: Mapping[str, object], environ: Mapping[str, str], *, is_tolerant: bool = False
) -> Settings:
    """Return the effective settings: ``overrides``, over ``environ``, over ``config.toml``, over the defaults.

    ``overrides`` has the keys of ``config.toml``, and ``home`` (``{"port": 0, "ctx": 4096}``); None: not set.
    ``environ`` is ``os.environ`` or a similar mapping, whose ``GGLIB_*`` variables are read. If neither sets a home, it
    is the platform's data directory. Reads ``config.toml`` and creates nothing.

    Raises ``InvalidSettingError``, whose message names the source, for an invalid value or an unknown key; an unknown
    variable is a warning in ``Settings.warnings``. With ``is_tolerant``, for commands that inspect or stop a server, an
    invalid value of the environment is not used, nor is any of an invalid file: ``Settings.ignored`` has the reasons.
    """
    home = _find_home(overrides, environ)
    config_path = home / CONFIG_NAME
    config_state = read_state(config_path)  # first: a change while the file is read is then detected later
    ignored: list[str] = []
    config, warnings = _read_config(config_path, ignored if is_tolerant else None)
    values: dict[str, Any] = {}
    sources: dict[str, tuple[str, ...]] = {}
    for spec in SETTINGS:
        given = _given(spec, overrides, environ, config)
        for index, (source, raw) in enumerate(given.items()):
            where = f"'{spec.key}' in {config_path}" if source == CONFIG_NAME else source
            try:
                values[spec.field] = parse_setting(spec, raw, where)
            except InvalidSettingError as error:
                if not is_tolerant or source == spec.option:
                    raise
                ignored.append(str(error))
            else:
                sources[spec.field] = tuple(given)[index:]
                break
    return Settings(
        home=home,
        warnings=(*warnings, *unknown_variables(environ)),
        ignored=tuple(ignored),
        sources=sources,
        config_state=config_state,
        **values,
    )


def _given(
    spec: SettingSpec,
    overrides: Mapping[str, object],
    environ: Mapping[str, str],
    config: Mapping[str, object],
) -> dict[str, object]:
    """Return what the sources set for a setting, the overriding one first."""
    given = {
        spec.option: overrides.get(spec.key),
        spec.env: environ.get(spec.env) or None,
        CONFIG_NAME: config.get(spec.key),
    }
    return {source: raw for source, raw in given.items() if raw is not None}


def _read_config(path: Path, ignored: list[str] | None) -> tuple[dict[str, object], tuple[str, ...]]:
    """Return the settings of the file and its warnings; an error of the file is added to ``ignored``, if given."""
    try:
        return read_config(path)
    except InvalidSettingError as error:
        if ignored is None:
            raise
        ignored.append(str(error))
        return {}, ()


def with_defaults(settings: Settings, defaults: Mapping[str, Any]) -> Settings:
    """Return the settings with other defaults, by field, for those that no source sets."""
    return replace(
        settings, **{name: value for name, value in defaults.items() if name not in settings.explicit}
    )


def unknown_variables(environ: Mapping[str, str]) -> list[str]:
    """Return a warning for each unknown ``GGLIB_*`` variable: an access key in a misspelt variable protects nothing."""
    commands = (REMOTE_KEY_VARIABLE, CA_VARIABLE, PLAIN_HTTP_HOSTS_VARIABLE, CLIENT_KEY_VARIABLE)
    known = [HOME_VARIABLE, *commands, *(spec.env for spec in SETTINGS)]
    unknown = sorted(name for name in environ if name.startswith("GGLIB_") and name not in known)
    return [f"Unknown environment variable {name}{suggestion(name, known)}" for name in unknown]


def _find_home(overrides: Mapping[str, object], environ: Mapping[str, str]) -> Path:
    given = overrides.get("home") or environ.get(HOME_VARIABLE)
    return parse_path(given) if given else platformdirs.user_data_path("gglib", appauthor=False)
