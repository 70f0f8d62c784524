"""Sends state notifications to the service manager that started this process. Never raises, never blocks."""

import logging
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass

from gglib.system.service_manager.protocol import notify_address, watchdog_interval_s

logger = logging.getLogger("gglib.service")


@dataclass(frozen=True, slots=True)
class Notifier:
    """The socket of the service manager."""

    address: str | None = None
    """As of ``notify_address``; None: nothing is sent."""
    watchdog_interval_s: float | None = None
    """How often the watchdog has to be notified; None: there is none."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], pid: int) -> "Notifier":
        """Return the notifier of process ``pid``, which sends nothing if no service manager started it."""
        address = notify_address(environment)
        interval_s = None if address is None else watchdog_interval_s(environment, pid)
        return cls(address, interval_s)

    def send(self, message: bytes) -> None:
        """Send a message. A failure is logged for debugging: the service manager may be gone, or its queue full."""
        if self.address is None:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.setblocking(False)
                sender.connect(os.fsencode(self.address))
                sender.send(message)
        except OSError as error:
            logger.debug("the service manager was not notified: %s", error)
