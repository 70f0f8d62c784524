"""Passed sockets are assigned to addresses."""

import os
import socket
from pathlib import Path

from gglib.app.serving.listeners import assign, take_over
from gglib.app.settings import load_settings
from gglib.system.service_manager.passed_sockets import PassedSocket
from gglib.system.service_manager.protocol import VARIABLES


def test_the_first_tcp_socket_is_the_address_of_the_settings(tmp_path: Path) -> None:
    """A unix socket has none; sockets with the name ``ollama`` are for its clients."""
    settings = load_settings({"home": str(tmp_path), "port": 1}, {})
    with (
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.socket(socket.AF_UNIX) as unix,
        socket.create_server(("127.0.0.1", 0)) as ollama,
    ):
        passed = [PassedSocket("x", unix), PassedSocket("gglib", tcp), PassedSocket("ollama", ollama)]
        found = assign(passed)
        assert (found.main, found.ollama) == ((tcp, unix), (ollama,))
        assert found.hosts == ("127.0.0.1", "127.0.0.1")
        assert found.applied_to(settings).port == tcp.getsockname()[1]
        only_unix = assign(passed[:1])
        assert not only_unix.has_main_address
        assert only_unix.applied_to(settings) == settings


def test_the_variables_are_taken() -> None:
    """Children of this process must not use them."""
    environment = dict.fromkeys(VARIABLES, "x") | {"NOTIFY_SOCKET": "/x", "PATH": "/bin"}
    notifier, listeners = take_over(environment, os.getpid())
    assert environment == {"PATH": "/bin"}
    assert notifier.address == "/x"
    assert not listeners.main
