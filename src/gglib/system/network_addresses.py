"""The addresses under which other machines of the network reach this one. Never raises, sends nothing, never blocks.

No name is resolved, because that may wait for a DNS server. The sources are the interfaces (Linux) and the source
address that the system would use for a packet to the outside (all systems).
"""

import fcntl
import ipaddress
import socket
import struct
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from gglib.system.virtual_files import read_text

VIRTUAL_INTERFACES = ("lo", "docker", "br-", "veth", "virbr", "cni", "flannel", "podman", "lxc", "lxd")
"""Beginnings of the names of interfaces that lead to containers and virtual machines on this machine only."""
MAX_ADDRESSES = 6
_OUTSIDE = {socket.AF_INET: "192.0.2.1", socket.AF_INET6: "2001:db8::1"}
"""Addresses for documentation (RFC 5737, RFC 3849): connecting a UDP socket to them only selects a route."""
_SIOCGIFADDR = 0x8915
"""Linux: the IPv4 address of an interface (netdevice(7))."""
_TEMPORARY_OR_DOWN = 0x01 | 0x20 | 0x40
"""``if_inet6``: temporary (RFC 8981), deprecated and tentative addresses."""


def network_addresses(*, root: Path = Path("/")) -> list[str]:
    """Return IPv4 and IPv6 addresses of this machine, those for packets to the outside first."""
    return usable_addresses(
        [
            *map(_source_address, _OUTSIDE),
            *interface_addresses(_interfaces(), _ipv4_address),
            *ipv6_addresses(read_text(root / "proc/net/if_inet6")),
        ]
    )


def usable_addresses(candidates: Iterable[str | None]) -> list[str]:
    """Return the addresses that other machines can use, without duplicates, IPv4 first. Pure.

    Link-local addresses are left out: in a URL they would need the name of the client's interface.
    """
    found = []
    for text in dict.fromkeys(filter(None, candidates)):
        address = ipaddress.ip_address(text)
        if not (
            address.is_loopback or address.is_link_local or address.is_unspecified or address.is_multicast
        ):
            found.append(address)
    found.sort(key=lambda address: address.version)
    return [str(address) for address in found[:MAX_ADDRESSES]]


def interface_addresses(names: Iterable[str], address_of: Callable[[str], str | None]) -> list[str]:
    """Return the addresses of the interfaces that lead to other machines, by name. Pure but for ``address_of``."""
    real = (name for name in names if not name.startswith(VIRTUAL_INTERFACES))
    return [address for name in real if (address := address_of(name)) is not None]


def ipv6_addresses(table: str) -> list[str]:
    """Return the lasting addresses of ``/proc/net/if_inet6``. Pure.

    A line has the address in hexadecimal, the index of the interface, the length of the prefix, the scope, the flags
    (``linux/if_addr.h``) and the name of the interface.
    """
    found = []
    for line in table.splitlines():
        with suppress(ValueError):
            digits, _, _, _, flags, name = line.split()
            if not int(flags, 16) & _TEMPORARY_OR_DOWN and not name.startswith(VIRTUAL_INTERFACES):
                found.append(str(ipaddress.IPv6Address(int(digits, 16))))
    return found


def host_name() -> str | None:
    """Return the name of this machine in lower case, without its domain; None if it has none."""
    name = socket.gethostname().partition(".")[0].lower()
    return None if name in {"", "localhost"} else name


def _source_address(family: socket.AddressFamily) -> str | None:
    with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect((_OUTSIDE[family], 9))
        return str(probe.getsockname()[0]).partition("%")[0]
    return None


def _interfaces() -> list[str]:
    with suppress(OSError):
        return [name for _, name in socket.if_nameindex()]
    return []


def _ipv4_address(interface: str) -> str | None:
    """Return the IPv4 address of an interface; None without one, and on other systems than Linux."""
    request = struct.pack("256s", interface.encode()[:15])
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        return socket.inet_ntoa(fcntl.ioctl(probe.fileno(), _SIOCGIFADDR, request)[20:24])
    return None
