"""The command line and the address of a service."""

import pytest

from gglib.app.service.command import listen_address, service_program
from gglib.core.errors import InvalidSettingError


def test_the_running_program_is_used() -> None:
    """Its path with links as they are, or the interpreter."""
    assert service_program("/home/a/.local/bin/gglib", "/x/python") == ("/home/a/.local/bin/gglib",)
    assert service_program("/x/gglib/__main__.py", "/x/python") == ("/x/python", "-m", "gglib")


def test_a_temporary_environment_is_refused() -> None:
    """That of ``uvx``, which the next cleaning of the cache deletes."""
    with pytest.raises(InvalidSettingError, match="'uv tool install gglib' installs it"):
        service_program("/c/uv/archive-v0/x/bin/gglib", "/c/uv/archive-v0/x/bin/python")


def test_addresses_are_those_of_socket_units() -> None:
    """IPv6 in brackets, its interface last, quoted (systemd.socket(5)); port 0 would be another one at each start."""
    assert listen_address("127.0.0.1", 8080) == "127.0.0.1:8080"
    assert listen_address("::", 8080) == "[::]:8080"
    assert listen_address("fe80::1%eth0", 8080) == "[fe80::1]:8080%%eth0"
    with pytest.raises(InvalidSettingError, match="'gglib config set port 8080' sets it, or use --no-socket"):
        listen_address("127.0.0.1", 0)
