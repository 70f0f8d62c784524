"""The ports of the machine of a running server, for ``serve``."""

from collections.abc import Callable

from gglib.app.monitoring.client_settings import ClientTables
from gglib.app.monitoring.log_reader import LogReader
from gglib.app.monitoring.system_facts import SystemReader
from gglib.app.settings import SETTINGS, Settings
from gglib.app.settings.effective import effective_settings
from gglib.core.ports.machine import MachinePorts, SettingsPort, SettingTable, SettingValue
from gglib.core.ports.store import HomeStorePort
from gglib.runtime.engines import Engine


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


def machine_ports(
    settings: Callable[[], Settings], url: Callable[[], str], engine: Engine, store: HomeStorePort
) -> MachinePorts:
    """Return the ports. ``settings`` returns those in use, ``url`` the URL for clients on this machine."""
    return MachinePorts(
        logs=LogReader(settings().log_dir, store),
        system=SystemReader(settings, url, engine, store),
        settings=LiveSettings(settings),
        clients=ClientTables(settings, url),
    )
