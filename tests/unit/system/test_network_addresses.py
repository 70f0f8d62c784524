"""The addresses of this machine for others, from recorded tables and from this machine."""

import ipaddress
import os
import socket
from pathlib import Path

import pytest

from gglib.system.network_addresses import (
    MAX_ADDRESSES,
    host_name,
    interface_addresses,
    ipv6_addresses,
    network_addresses,
    usable_addresses,
)
from gglib.system.process_arguments import process_arguments

TABLE = """\
00000000000000000000000000000001 01 80 10 80       lo
fe8000000000000002155dfffe000001 02 40 20 80     eth0
20010db8000000000000000000000005 02 40 00 80     eth0
20010db800000000000000000000abcd 02 40 00 01     eth0
20010db8000000000000000000000006 02 40 00 20     eth0
fd000000000000000000000000000002 03 40 00 80  docker0
nonsense
"""


def test_usable_addresses_are_those_of_the_network() -> None:
    """IPv4 first; no loopback, link-local or repeated ones."""
    found = [
        "fd00::2",
        None,
        "192.168.1.5",
        "127.0.0.1",
        "169.254.3.4",
        "fe80::1",
        "192.168.1.5",
        "224.0.0.1",
        "::",
    ]
    assert usable_addresses(found) == ["192.168.1.5", "fd00::2"]
    assert len(usable_addresses(f"10.0.0.{last}" for last in range(1, 99))) == MAX_ADDRESSES


def test_lasting_ipv6_addresses_of_real_interfaces_are_read() -> None:
    """Temporary and deprecated ones change; those of containers stay on this machine."""
    assert ipv6_addresses(TABLE) == ["fe80::215:5dff:fe00:1", "2001:db8::5"]
    assert usable_addresses(ipv6_addresses(TABLE)) == ["2001:db8::5"]


def test_interfaces_of_containers_are_left_out() -> None:
    """Also those without an address."""
    addresses = {"eth0": "10.0.0.2", "docker0": "172.17.0.1", "br-12ab": "172.18.0.1", "lo": "127.0.0.1"}
    assert interface_addresses([*addresses, "wlan0"], addresses.get) == ["10.0.0.2"]


def test_this_machine_has_only_usable_addresses(tmp_path: Path) -> None:
    """Also without ``/proc``; a machine without a network has none."""
    for found in (network_addresses(), network_addresses(root=tmp_path)):
        for text in found:
            address = ipaddress.ip_address(text)
            assert not address.is_loopback
            assert not address.is_link_local


def test_a_machine_without_a_network_has_no_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Errors of the system are no errors here."""

    def fail(*_: object) -> None:
        raise OSError

    monkeypatch.setattr(socket, "socket", fail)
    monkeypatch.setattr(socket, "if_nameindex", fail)
    assert network_addresses(root=tmp_path) == []


@pytest.mark.parametrize(("full", "short"), [("Box.example.com", "box"), ("localhost", None), ("", None)])
def test_the_name_has_no_domain(monkeypatch: pytest.MonkeyPatch, full: str, short: str | None) -> None:
    """Other machines may know it with another one."""
    monkeypatch.setattr(socket, "gethostname", lambda: full)
    assert host_name() == short


def test_the_arguments_of_a_process_are_read(tmp_path: Path) -> None:
    """None for a process that has ended."""
    file = tmp_path / "proc" / "7" / "cmdline"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"gglib\0serve\0--port\0" + b"9\xff\0")
    assert process_arguments(7, root=tmp_path) == ["gglib", "serve", "--port", "9\ufffd"]
    assert process_arguments(8, root=tmp_path) == []
    assert not Path("/proc/self/cmdline").exists() or process_arguments(os.getpid())
