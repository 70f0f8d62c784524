"""Cancelling work in threads."""

import socket

import pytest

from gglib.hf.cancellation import CancelToken, OperationCancelledError


def test_cancel_reaches_pollers_and_waiters() -> None:
    """A cancel reaches the children, including those created later."""
    cancel_token = CancelToken()
    child = CancelToken(cancel_token)
    child.raise_if_cancelled()
    cancel_token.cancel()
    for each in (cancel_token, child, CancelToken(cancel_token)):
        assert each.is_cancelled
        with pytest.raises(OperationCancelledError):
            each.raise_if_cancelled()
        with pytest.raises(OperationCancelledError):
            each.sleep(1000)


def test_child_is_cancelled_alone() -> None:
    """The parent and the other children are not affected."""
    parent = CancelToken()
    first, second = CancelToken(parent), CancelToken(parent)
    first.cancel()
    assert not parent.is_cancelled
    assert not second.is_cancelled
    first.detach()
    parent.cancel()
    assert second.is_cancelled


def test_registered_socket_is_shut_down_during_a_read() -> None:
    """An unregistered socket is left alone, and a socket cannot be registered after the cancel."""
    cancel_token, (first, second), (kept, peer) = CancelToken(), socket.socketpair(), socket.socketpair()
    with first, second, kept, peer:
        cancel_token.register(first)
        cancel_token.register(kept)
        cancel_token.unregister(kept)
        cancel_token.cancel()
        assert second.recv(1) == b""
        peer.sendall(b"x")
        assert kept.recv(1) == b"x"
        with pytest.raises(OperationCancelledError):
            cancel_token.register(kept)
