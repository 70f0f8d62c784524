"""Which process listens on a TCP port: from Linux's ``/proc/net/tcp`` and the descriptors of processes."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_TABLES = ("tcp", "tcp6")
_LISTEN = "0A"
"""The state in the kernel's tables (``TCP_LISTEN`` in ``include/net/tcp_states.h``)."""
_LOOPBACK = ("0100007F", "0000000000000000FFFF00000100007F")
"""127.0.0.1 and ::ffff:127.0.0.1 as the tables have them: 32-bit words in the order of a little-endian machine."""
_ALL = ("00000000", "0" * 32)


@dataclass(frozen=True, slots=True)
class Listener:
    """A listening TCP socket."""

    uid: int
    inode: int
    is_public: bool
    """Whether it accepts connections to all addresses of this machine."""


def read_listeners(port: int, proc: Path = _PROC) -> list[Listener]:
    """Return the sockets that listen on a port for 127.0.0.1, or for all addresses; empty where this is unknown."""
    found: list[Listener] = []
    for name in _TABLES:
        with suppress(OSError):
            found += parse_listeners((proc / "net" / name).read_text(), port)
    return found


def parse_listeners(table: str, port: int) -> Iterator[Listener]:
    """Yield the listeners that a connection to 127.0.0.1 may reach, from one of the kernel's tables. Pure."""
    for line in table.splitlines()[1:]:
        fields = line.split()
        address, _, hex_port = fields[1].partition(":")
        is_reached = address in _LOOPBACK or address in _ALL
        if fields[3] == _LISTEN and int(hex_port, 16) == port and is_reached:
            yield Listener(uid=int(fields[7]), inode=int(fields[9]), is_public=address in _ALL)


def owns_socket(pids: Iterable[int], inode: int, proc: Path = _PROC) -> bool:
    """Whether one of the processes has this socket open. Processes of other users cannot be read."""
    wanted = f"socket:[{inode}]"
    for pid in pids:
        with suppress(OSError):
            for descriptor in (proc / str(pid) / "fd").iterdir():
                with suppress(OSError):
                    if str(descriptor.readlink()) == wanted:
                        return True
    return False
