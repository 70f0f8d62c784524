"""The settings of all clients, for the HTTP API. Secrets are never part of them. Pure.

The user who reads them may be on another machine, or another user of this one: paths begin with ``~``, and neither the
home nor the environment of the server counts.
"""

import sys
from collections.abc import Callable
from pathlib import Path

from gglib.app.clients.client import Client, Connection, Key, Places
from gglib.app.clients.keys import client_key, key_names_for
from gglib.app.clients.table import CLIENTS
from gglib.app.settings import Settings
from gglib.core.ports.clients import (
    ClientFile,
    ClientKey,
    ClientRun,
    ClientSettings,
    ClientsPort,
    ClientTable,
    ClientTarget,
)

PLACES = Places(home=Path("~"), environ={}, is_macos=sys.platform == "darwin")


class ClientTables(ClientsPort):
    """The settings of clients of one server."""

    def __init__(self, settings: Callable[[], Settings], url: Callable[[], str]) -> None:
        """Take functions that return the settings in use, and the URL for clients on this machine."""
        self._settings = settings
        self._url = url

    def client_settings(self, target: ClientTarget) -> ClientTable:
        """Return the settings of all clients for ``target``."""
        key = client_key(key_names_for(self._settings().api_keys, target.model))
        url = (target.url or self._url()).rstrip("/")
        connection = Connection(url=url, model=target.name, context=target.context, key=key)
        return ClientTable(
            model=target.name,
            context=target.context,
            url=url,
            key=None if key is None else _shown_key(key),
            clients=tuple(_settings_of(client, connection) for client in CLIENTS),
        )


def _shown_key(key: Key) -> ClientKey:
    return ClientKey(name=key.name or "", variable=key.variable, placeholder=key.placeholder)


def _settings_of(client: Client, connection: Connection) -> ClientSettings:
    settings, verified = client.settings(connection, PLACES), client.verified
    file = settings.file
    return ClientSettings(
        name=client.name,
        title=client.title,
        kind=client.kind.value,
        speaks=client.speaks,
        how=client.how,
        verified=None if verified is None else ClientRun(version=verified.version, date=verified.date),
        where=settings.where,
        text=settings.text,
        start=settings.start or None,
        note=settings.note or None,
        file=None if file is None else ClientFile(path=str(file.path), format=file.format.value),
        launch=client.launch_command,
    )
