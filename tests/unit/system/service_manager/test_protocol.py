"""The variables and messages between a service and its service manager."""

import pytest

from gglib.system.service_manager import protocol


@pytest.mark.parametrize(
    ("variable", "address"),
    [
        ("/run/user/1/systemd/notify", "/run/user/1/systemd/notify"),
        ("@notify/5", "\0notify/5"),
        ("", None),
        ("@", None),
        ("/", None),
        ("vsock:2:1234", None),
    ],
)
def test_address_is_a_path_or_an_abstract_name(variable: str, address: str | None) -> None:
    """Nothing is sent to other kinds of sockets."""
    assert protocol.notify_address({"NOTIFY_SOCKET": variable}) == address
    assert protocol.notify_address({}) is None


@pytest.mark.parametrize(
    ("variables", "interval_s"),
    [
        ({"WATCHDOG_USEC": "60000000"}, 30.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "7"}, 30.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "8"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "-1"}, None),
        ({"WATCHDOG_USEC": "²"}, None),
        ({}, None),
    ],
)
def test_watchdog_is_notified_twice_per_timeout(variables: dict[str, str], interval_s: float | None) -> None:
    """If it is this process that it watches."""
    assert protocol.watchdog_interval_s(variables, 7) == interval_s


@pytest.mark.parametrize(
    ("variables", "descriptors"),
    [
        ({"LISTEN_FDS": "2", "LISTEN_PID": "7", "LISTEN_FDNAMES": "web:ollama"}, ((3, "web"), (4, "ollama"))),
        ({"LISTEN_FDS": "2", "LISTEN_PID": "7", "LISTEN_FDNAMES": "web"}, ((3, "web"), (4, "unknown"))),
        ({"LISTEN_FDS": "1", "LISTEN_PID": "7", "LISTEN_FDNAMES": "web:ollama"}, ((3, "web"),)),
        ({"LISTEN_FDS": "1", "LISTEN_PID": "7"}, ((3, "unknown"),)),
        ({"LISTEN_FDS": "1", "LISTEN_PID": "8"}, ()),
        ({"LISTEN_FDS": "1"}, ()),
        ({"LISTEN_FDS": "0", "LISTEN_PID": "7"}, ()),
        ({"LISTEN_FDS": "1000000000", "LISTEN_PID": "7"}, ()),
        ({"LISTEN_FDS": "one", "LISTEN_PID": "7"}, ()),
        ({}, ()),
    ],
)
def test_descriptors_are_for_the_named_process(
    variables: dict[str, str], descriptors: tuple[tuple[int, str], ...]
) -> None:
    """A process that inherited the variables of its parent gets none."""
    assert protocol.passed_descriptors(variables, 7) == descriptors


def test_messages_are_those_of_the_protocol() -> None:
    """One assignment a line; a status is one line, whatever text it has."""
    assert protocol.ready("Serving\nREADY=0") == b"READY=1\nSTATUS=Serving READY=0"
    assert protocol.reloading(1_234_567_890) == b"RELOADING=1\nMONOTONIC_USEC=1234567"
    stopping = protocol.stopping("Stopping", timeout_s=45)
    assert stopping == b"STOPPING=1\nEXTEND_TIMEOUT_USEC=45000000\nSTATUS=Stopping"
    assert protocol.WATCHDOG == b"WATCHDOG=1"
    assert protocol.status_line("caf\udce9") == b"STATUS=caf?"
