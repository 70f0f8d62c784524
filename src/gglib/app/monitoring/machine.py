"""The ports of the machine of a running server, for ``serve``."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from gglib.app.clients.client_settings import ClientTables
from gglib.app.monitoring.log_reader import LogReader
from gglib.app.monitoring.system_facts import SystemReader
from gglib.app.settings import Settings
from gglib.app.settings.live_settings import LiveSettings
from gglib.core.ports.machine import MachinePorts
from gglib.core.ports.store import HomeStorePort
from gglib.runtime.engines import Engine


@asynccontextmanager
async def open_machine_ports(
    settings: Callable[[], Settings], url: Callable[[], str], engine: Engine, store: HomeStorePort
) -> AsyncIterator[MachinePorts]:
    """Provide the ports for the duration of the block; a run of the checks ends with it.

    ``settings`` returns those in use, ``url`` the URL for clients on this machine.
    """
    async with SystemReader(settings, url, engine, store) as system:
        yield MachinePorts(
            logs=LogReader(settings().log_dir, store),
            system=system,
            settings=LiveSettings(settings),
            clients=ClientTables(settings, url),
        )
