"""The variables and messages between a service and systemd, or a program with the same protocol. Pure.

The source of each rule is sd_notify(3), sd_watchdog_enabled(3) and sd_listen_fds(3).
"""

from collections.abc import Mapping

VARIABLES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES")
"""They are for this process only: a child that inherits them would speak for it, or take its descriptors."""
FIRST_DESCRIPTOR = 3
"""Of the passed ones (``SD_LISTEN_FDS_START``)."""
WATCHDOG = b"WATCHDOG=1"
_UNKNOWN_NAME = "unknown"
"""What systemd calls a descriptor without a name."""
_US_PER_S = 1_000_000
_MAX_DESCRIPTORS = 1_000


def notify_address(environment: Mapping[str, str]) -> str | None:
    """Return the address of the datagram socket for notifications; None: nothing is to be notified.

    A path, or with a leading NUL a name in Linux's abstract namespace. Other kinds of sockets (``vsock:``) are for
    virtual machines as a whole.
    """
    address = environment.get("NOTIFY_SOCKET", "")
    if address.startswith("/") and len(address) > 1:
        return address
    return f"\0{address[1:]}" if address.startswith("@") and len(address) > 1 else None


def watchdog_interval_s(environment: Mapping[str, str], pid: int) -> float | None:
    """Return how often the watchdog is to be notified: twice per timeout. None: there is no watchdog for ``pid``."""
    timeout_us = _positive(environment.get("WATCHDOG_USEC"))
    if timeout_us is None or environment.get("WATCHDOG_PID", str(pid)) != str(pid):
        return None
    return timeout_us / _US_PER_S / 2


def passed_descriptors(environment: Mapping[str, str], pid: int) -> tuple[tuple[int, str], ...]:
    """Return the descriptors that were passed to the process ``pid``, each with its name.

    The name is ``FileDescriptorName=`` of the unit: that of the socket unit by default.
    """
    count = _positive(environment.get("LISTEN_FDS"))
    if count is None or count > _MAX_DESCRIPTORS or environment.get("LISTEN_PID") != str(pid):
        return ()
    names = environment.get("LISTEN_FDNAMES", "").split(":")
    named = [name or _UNKNOWN_NAME for name in names[:count]]
    named += [_UNKNOWN_NAME] * (count - len(named))
    return tuple(enumerate(named, FIRST_DESCRIPTOR))


def ready(status: str) -> bytes:
    """Return the message that the start, or a reload, is complete."""
    return b"READY=1\n" + status_line(status)


def reloading(monotonic_ns: int) -> bytes:
    """Return the message that a reload begins; ``ready`` has to follow.

    ``monotonic_ns`` is the time now of ``CLOCK_MONOTONIC``, by which ``Type=notify-reload`` knows this reload from an
    earlier one.
    """
    return b"RELOADING=1\nMONOTONIC_USEC=%d" % (monotonic_ns // 1_000)


def stopping(status: str, *, timeout_s: float) -> bytes:
    """Return the message that a stop begins, which takes up to ``timeout_s`` from now, longer than the unit may say."""
    return b"STOPPING=1\nEXTEND_TIMEOUT_USEC=%d\n" % round(timeout_s * _US_PER_S) + status_line(status)


def status_line(status: str) -> bytes:
    """Return the message that sets the line of ``systemctl status``."""
    return b"STATUS=" + " ".join(status.split()).encode(errors="replace")


def _positive(text: str | None) -> int | None:
    """Return a decimal number above 0; None for anything else."""
    if text is None or not (text.isascii() and text.isdigit()):
        return None
    return int(text) or None
