"""Describes the settings and their sources (``gglib config``). Pure."""

from collections.abc import Sequence

from gglib.app.settings.definitions import SETTINGS
from gglib.app.settings.effective import EffectiveSetting, given_option

VALUE = "VALUE"
COLUMNS = ("SETTING", VALUE, "FROM")
NOTHING = "-"


def setting_rows(settings: Sequence[EffectiveSetting]) -> list[tuple[str, ...]]:
    """Return a row for each setting; a source that overrides others names them."""
    return [(setting.setting, setting.shown or NOTHING, _source(setting)) for setting in settings]


def _source(setting: EffectiveSetting) -> str:
    if not setting.overrides:
        return setting.source
    return f"{setting.source}, over {' and '.join(setting.overrides)}"


def server_options(arguments: Sequence[str]) -> list[str]:
    """Return the settings that are options in the command line of a running server: ``--port 9000``."""
    return [option for spec in SETTINGS if (option := given_option(spec, arguments)) is not None]


def footer(options: Sequence[str]) -> list[str]:
    """Return the lines below the table; ``options`` are those of the running server."""
    if not options:
        return []
    return [f"The running server was started with {', '.join(options)}, which it uses instead."]
