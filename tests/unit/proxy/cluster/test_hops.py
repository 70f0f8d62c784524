"""The headers between gglibs."""

from gglib.core.priority import Priority
from gglib.proxy.cluster.hops import (
    error_line,
    hop_lines,
    is_forwarded,
    is_forwarded_by,
    node_line,
    without_error_line,
)


def test_a_forwarded_request_is_marked() -> None:
    """By its own header, whatever its value."""
    assert not is_forwarded([(b"host", b"box")])
    assert is_forwarded([(b"host", b"box"), (b"x-gglib-hop", b"1")])


def test_the_rest_of_the_wait_and_the_priority_go_on() -> None:
    """In whole seconds, at least 0: a rest of a second is no order not to wait."""
    assert (
        hop_lines("id", 12.2, Priority.BATCH)
        == b"x-gglib-hop: id\r\nprefer: wait=13\r\nx-gglib-priority: batch\r\n"
    )
    assert b"wait=0\r\n" in hop_lines("", -1.0, Priority.INTERACTIVE)


def test_the_forwarding_gglib_is_known_by_its_id() -> None:
    """Without one, the header has a value all the same."""
    headers = [(b"host", b"box"), (b"x-gglib-hop", b"front-1")]
    assert is_forwarded_by(headers, "front-1")
    assert not is_forwarded_by(headers, "front-2")
    assert hop_lines("", 1.0, Priority.INTERACTIVE).startswith(b"x-gglib-hop: 1\r\n")


def test_a_response_names_its_node() -> None:
    """As a whole line."""
    assert node_line("gpu-1") == b"x-gglib-node: gpu-1\r\n"


def test_the_code_of_an_error_is_for_the_front() -> None:
    """Its client gets the other headers."""
    assert error_line(None) == b""
    line = error_line("queue_full")
    assert line == b"x-gglib-error: queue_full\r\n"
    assert without_error_line(b"a: b\r\n" + line + b"c: d\r\n") == b"a: b\r\nc: d\r\n"
