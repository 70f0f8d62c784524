"""The headers between gglibs."""

from gglib.core.priority import Priority
from gglib.proxy.cluster.hops import hop_lines, is_forwarded, node_line


def test_a_forwarded_request_is_marked() -> None:
    """By its own header, whatever its value."""
    assert not is_forwarded([(b"host", b"box")])
    assert is_forwarded([(b"host", b"box"), (b"x-gglib-hop", b"1")])


def test_the_rest_of_the_wait_and_the_priority_go_on() -> None:
    """In whole seconds, at least 0: a rest of a second is no order not to wait."""
    assert (
        hop_lines(12.2, Priority.BATCH) == b"x-gglib-hop: 1\r\nprefer: wait=13\r\nx-gglib-priority: batch\r\n"
    )
    assert b"wait=0\r\n" in hop_lines(-1.0, Priority.INTERACTIVE)


def test_a_response_names_its_node() -> None:
    """As a whole line."""
    assert node_line("gpu-1") == b"x-gglib-node: gpu-1\r\n"
