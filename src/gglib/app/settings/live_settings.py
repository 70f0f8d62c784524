"""Shows the settings of a running server, for the HTTP API. Secrets are never part of them. Pure."""

from collections.abc import Callable

from gglib.app.settings.definitions import SETTINGS, Settings
from gglib.app.settings.effective import effective_settings
from gglib.core.ports.settings import SettingsPort, SettingTable, SettingValue


class LiveSettings(SettingsPort):
    """The settings of a server, which a reload changes."""

    def __init__(self, current: Callable[[], Settings]) -> None:
        """Take ``current``, which returns the settings in use."""
        self._current = current

    def settings(self) -> SettingTable:
        """Return the settings in use."""
        current = self._current()
        helps = {spec.key: spec.help for spec in SETTINGS}
        return SettingTable(
            path=str(current.config_path),
            settings=tuple(
                SettingValue(
                    setting=setting.setting,
                    value=setting.value,
                    shown=setting.shown,
                    source=setting.source,
                    overrides=setting.overrides,
                    is_live=setting.is_live,
                    help=helps[setting.setting],
                )
                for setting in effective_settings(current)
            ),
        )
