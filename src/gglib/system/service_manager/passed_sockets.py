"""Takes the listening sockets that a service manager opened and passed to this process (socket activation).

The sockets stay the service manager's: closing them here closes nothing there, and connections that are not
accepted yet wait in its queue for the next process.
"""

import os
import socket
import stat
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from gglib.core.errors import InvalidSettingError
from gglib.system.service_manager.protocol import passed_descriptors

_FAMILIES = frozenset((socket.AF_INET, socket.AF_INET6, socket.AF_UNIX))
"""Those with rules of access; a socket of virtual machines (vsock(7)) has none."""


@dataclass(frozen=True, slots=True)
class PassedSocket:
    """A listening stream socket, TCP or unix."""

    name: str
    """``FileDescriptorName=`` of its unit."""
    socket: socket.socket


def take_sockets(environment: Mapping[str, str], pid: int) -> tuple[PassedSocket, ...]:
    """Return the sockets that were passed to process ``pid``, this one; children do not inherit them.

    Raises ``InvalidSettingError`` for a descriptor that is not a listening stream socket.
    """
    descriptors = passed_descriptors(environment, pid)
    for descriptor, _ in descriptors:
        with suppress(OSError):
            os.set_inheritable(descriptor, False)
    return _listening(descriptors)


def _listening(descriptors: Sequence[tuple[int, str]]) -> tuple[PassedSocket, ...]:
    taken = []
    for descriptor, name in descriptors:
        if not _is_listening(descriptor):
            raise InvalidSettingError(
                f"The service manager passed descriptor {descriptor} ('{name}'), which is not a listening stream "
                "socket of TCP or unix: use ListenStream= with an IP address or a path, and Accept=no, in its .socket "
                "unit."
            )
        listener = socket.socket(fileno=descriptor)
        listener.setblocking(False)
        taken.append(PassedSocket(name, listener))
    return tuple(taken)


def _is_listening(descriptor: int) -> bool:
    try:
        if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
            return False
        # A copy: the object's end must not close what it was not given.
        with socket.socket(fileno=os.dup(descriptor)) as found:
            is_stream = found.family in _FAMILIES and found.type == socket.SOCK_STREAM
            return is_stream and found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1
    except OSError:
        return False
