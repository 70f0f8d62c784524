"""The ports that show a server's machine, as ``serve`` takes them."""

from dataclasses import dataclass

from gglib.core.ports.clients import ClientsPort
from gglib.core.ports.logs import LogsPort
from gglib.core.ports.settings import SettingsPort
from gglib.core.ports.system import SystemPort


@dataclass(frozen=True, slots=True, kw_only=True)
class MachinePorts:
    """The ports of one machine, for ``serve``."""

    logs: LogsPort
    system: SystemPort
    settings: SettingsPort
    clients: ClientsPort
