"""The notifications of a server to its service manager."""

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from gglib.app.service.plan import STOP_MARGIN_S
from gglib.app.serving.service_notices import ServiceNotices
from gglib.system.service_manager.notifier import Notifier


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    """Yield the socket of a service manager."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "notify"))
        receiver.setblocking(False)
        yield receiver


def received(manager: socket.socket) -> list[list[str]]:
    """Return the messages since the last call, each as its lines."""
    messages = []
    while True:
        try:
            messages.append(manager.recv(4096).decode().split("\n"))
        except BlockingIOError:
            return messages


def notices_to(manager: socket.socket, *, interval_s: float | None = None) -> ServiceNotices:
    """Return the notices of a server whose manager has this socket."""
    return ServiceNotices(Notifier(manager.getsockname(), interval_s), monotonic_ns=lambda: 5_000)


def test_a_life_is_reported_in_order(manager: socket.socket) -> None:
    """Ready once; a reload is announced and ended, also if it fails; a stop has the time that it may take."""
    notices = notices_to(manager)
    notices.report_ready("loading")
    notices.report_status("serving")
    with notices.reloading():
        pass
    with pytest.raises(ValueError, match="wrong"), notices.reloading():
        raise ValueError("wrong")
    notices.report_stop(2, 30)
    assert received(manager) == [
        ["READY=1", "STATUS=loading"],
        ["STATUS=serving"],
        *[["RELOADING=1", "MONOTONIC_USEC=5"], ["READY=1", "STATUS=serving"]] * 2,
        [
            "STOPPING=1",
            f"EXTEND_TIMEOUT_USEC={round((30 + STOP_MARGIN_S) * 1e6)}",
            "STATUS=Waiting for 2 responses",
        ],
    ]


def test_nothing_is_ready_before_the_start_or_during_a_stop(manager: socket.socket) -> None:
    """A reload there must not end in READY=1: systemd would take a server that stops for one that runs."""
    notices = notices_to(manager)
    notices.report_status("serving")
    with notices.reloading():
        pass
    assert received(manager) == []
    notices.report_ready("loading")
    assert received(manager) == [["READY=1", "STATUS=serving"]]
    with notices.reloading():
        notices.report_stop(1, 0)
    notices.report_status("serving")
    assert [lines[0] for lines in received(manager)] == ["RELOADING=1", "STOPPING=1"]


async def test_the_event_loop_notifies_the_watchdog(manager: socket.socket) -> None:
    """At once and at each interval; not without a watchdog."""
    async with notices_to(manager, interval_s=0.01).watchdog():
        loop = asyncio.get_running_loop()
        for _ in range(2):
            assert await asyncio.wait_for(loop.sock_recv(manager, 4096), 5) == b"WATCHDOG=1"
    received(manager)
    async with notices_to(manager).watchdog(), ServiceNotices().watchdog():
        await asyncio.sleep(0)
    assert received(manager) == []
