"""How work in threads is ended."""

import socket

import pytest

from gglib.hf.cancellation import Stop, StoppedError


def test_a_stop_is_heard_by_who_looks_and_by_who_waits() -> None:
    """Also by children, also by those that come later."""
    stop = Stop()
    child = Stop(stop)
    child.check()
    stop.set()
    for each in (stop, child, Stop(stop)):
        assert each.is_set
        with pytest.raises(StoppedError):
            each.check()
        with pytest.raises(StoppedError):
            each.pause(1000)


def test_a_child_ends_alone() -> None:
    """Its parent and the other children go on."""
    parent = Stop()
    one, other = Stop(parent), Stop(parent)
    one.set()
    assert not parent.is_set
    assert not other.is_set
    one.leave()
    parent.set()
    assert other.is_set


def test_a_watched_socket_is_shut_down_under_who_reads() -> None:
    """One that is no longer watched is left alone, and one that comes too late is not taken."""
    stop, (one, other), (kept, peer) = Stop(), socket.socketpair(), socket.socketpair()
    with one, other, kept, peer:
        stop.watch(one)
        stop.watch(kept)
        stop.forget(kept)
        stop.set()
        assert other.recv(1) == b""
        peer.sendall(b"x")
        assert kept.recv(1) == b"x"
        with pytest.raises(StoppedError):
            stop.watch(kept)
