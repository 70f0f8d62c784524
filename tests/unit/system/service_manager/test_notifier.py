"""Notifications arrive at the socket of the service manager."""

import secrets
import socket
import sys
from pathlib import Path

import pytest

from gglib.system.service_manager.notifier import Notifier


def test_a_message_is_one_datagram(tmp_path: Path) -> None:
    """At a path."""
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        Notifier.from_environment({"NOTIFY_SOCKET": path}, 7).send(b"READY=1\nSTATUS=x")
        assert manager.recv(100) == b"READY=1\nSTATUS=x"


@pytest.mark.skipif(sys.platform != "linux", reason="abstract names exist on Linux only")
def test_abstract_names_are_reached() -> None:
    """As containers' managers use them."""
    name = f"gglib-test-{secrets.token_hex(8)}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"\0{name}")
        notifier = Notifier.from_environment({"NOTIFY_SOCKET": f"@{name}", "WATCHDOG_USEC": "2000000"}, 7)
        notifier.send(b"WATCHDOG=1")
        assert manager.recv(100) == b"WATCHDOG=1"
    assert notifier.watchdog_interval_s == 1.0


def test_a_manager_that_is_gone_is_no_error(tmp_path: Path) -> None:
    """Nor is one that never was."""
    Notifier.from_environment({"NOTIFY_SOCKET": str(tmp_path / "gone")}, 7).send(b"READY=1")
    Notifier.from_environment({"WATCHDOG_USEC": "2000000"}, 7).send(b"READY=1")
    assert Notifier.from_environment({"WATCHDOG_USEC": "2000000"}, 7).watchdog_interval_s is None


def test_a_full_queue_does_not_block(tmp_path: Path) -> None:
    """A manager that is stopped must not stop the event loop."""
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        notifier = Notifier.from_environment({"NOTIFY_SOCKET": path}, 7)
        for _ in range(5_000):
            notifier.send(b"WATCHDOG=1")
