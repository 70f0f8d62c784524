"""The listening sockets that a service manager passed to a server, instead of those that it would bind itself."""

import socket
from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass, replace

from gglib.app.settings import Settings
from gglib.system.service_manager.notifier import Notifier
from gglib.system.service_manager.passed_sockets import PassedSocket, take_sockets
from gglib.system.service_manager.protocol import VARIABLES

OLLAMA = "ollama"
"""``FileDescriptorName=`` of sockets for clients of Ollama; those with other names are the main address."""
_IP = frozenset((socket.AF_INET, socket.AF_INET6))


@dataclass(frozen=True, slots=True)
class Listeners:
    """Passed sockets by their use. Without a TCP socket for the main address the server binds that one itself."""

    main: tuple[socket.socket, ...] = ()
    """For the main address, TCP first."""
    ollama: tuple[socket.socket, ...] = ()
    """For clients of Ollama."""

    @property
    def has_main_address(self) -> bool:
        """Whether a TCP socket was passed for the main address."""
        return any(listener.family in _IP for listener in self.main)

    @property
    def hosts(self) -> tuple[str, ...]:
        """The addresses of all TCP sockets, which decide whether other machines can reach the server."""
        return tuple(
            listener.getsockname()[0] for listener in (*self.main, *self.ollama) if listener.family in _IP
        )

    def applied_to(self, settings: Settings) -> Settings:
        """Return the settings with the address of the first TCP socket: ``host`` and ``port`` are not bound."""
        if not self.has_main_address:
            return settings
        host, port = self.main[0].getsockname()[:2]
        return replace(settings, host=host, port=port)


def assign(passed: Sequence[PassedSocket]) -> Listeners:
    """Return the sockets by their names."""
    main = [item.socket for item in passed if item.name != OLLAMA]
    return Listeners(
        main=tuple(sorted(main, key=lambda listener: listener.family not in _IP)),
        ollama=tuple(item.socket for item in passed if item.name == OLLAMA),
    )


def take_over(environment: MutableMapping[str, str], pid: int) -> tuple[Notifier, Listeners]:
    """Return what the service manager passed to process ``pid``, and remove the variables: children must not use them.

    Raises ``InvalidSettingError`` for a descriptor that is not a listening stream socket.
    """
    given = {name: environment.pop(name) for name in VARIABLES if name in environment}
    return Notifier.from_environment(given, pid), assign(take_sockets(given, pid))
