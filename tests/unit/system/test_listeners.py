"""Listening sockets in the kernel's tables."""

import os
import socket
import sys
from pathlib import Path

import pytest

from gglib.system.listeners import Listener, owns_socket, parse_listeners, read_listeners

TABLE = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F40 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 11 1 0000000000000000 100 0
   1: 00000000:1F40 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 12 1 0000000000000000 100 0
   2: 0100007F:1F40 0100007F:A488 01 00000000:00000000 00:00000000 00000000     0        0 13 1 0000000000000000 20 4
   3: 0100007F:1F41 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 14 1 0000000000000000 100 0
   4: 0A00000A:1F40 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 15 1 0000000000000000 100 0
"""
TABLE_6 = """\
  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when
   0: 00000000000000000000000000000000:1F40 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 \
00000000  1000        0 21 1 0000000000000000 100 0
"""


def test_listeners_of_a_port_that_loopback_reaches() -> None:
    """Connections, other ports and other addresses do not count; all addresses do, and are public."""
    assert list(parse_listeners(TABLE, 8000)) == [Listener(1000, 11, False), Listener(0, 12, True)]
    assert list(parse_listeners(TABLE_6, 8000)) == [Listener(1000, 21, True)]
    assert list(parse_listeners("header only", 8000)) == []


def test_a_system_without_tables_has_no_listeners(tmp_path: Path) -> None:
    """On other systems than Linux nothing is known."""
    assert read_listeners(8000, tmp_path) == []
    assert not owns_socket([1], 11, tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_process_owns_its_own_listener() -> None:
    """The socket is found among the descriptors of this process, and not among those of init."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        (listener,) = read_listeners(server.getsockname()[1])
        assert (listener.uid, listener.is_public) == (os.geteuid(), False)
        assert owns_socket([os.getpid()], listener.inode)
        assert not owns_socket([os.getppid()], listener.inode)
