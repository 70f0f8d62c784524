"""Comments before the content of a node's stream."""

from collections.abc import AsyncIterator
from itertools import pairwise
from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gglib.proxy.relay.node_relay import MAX_COMMENT_BYTES, skip_comments, without_comments

if TYPE_CHECKING:
    from gglib.http.client.connection import UpstreamConnection

EVENT = b'data: {"choices":[]}\n\n'


class Upstream:
    """A response in parts; ``read`` has what was put back."""

    def __init__(self, *parts: bytes) -> None:
        self.parts = list(parts)
        self.is_put_back = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while self.parts:
            yield self.parts.pop(0)

    def put_back(self, part: bytes) -> None:
        """Have a part read again first."""
        assert part
        self.parts.insert(0, part)
        self.is_put_back = True


@pytest.mark.parametrize(
    ("events", "left"),
    [
        (b"", b""),
        (b":\n\n", b""),
        (b": waiting\r\n\r\n" + EVENT, EVENT),
        (b":\n\n:\n", b""),
        (b":\n\n: wai", b": wai"),
        (EVENT, EVENT),
        (EVENT + b":\n\n", EVENT + b":\n\n"),
    ],
)
def test_comments_before_the_first_event_are_no_content(events: bytes, left: bytes) -> None:
    """Nor are empty lines."""
    assert without_comments(events) == left


@given(
    comments=st.lists(st.sampled_from([b":\n\n", b": a\r\n\r\n", b"\n"])),
    cuts=st.lists(st.integers(min_value=1, max_value=40)),
    has_content=st.booleans(),
)
async def test_the_content_stays_to_be_read(
    comments: list[bytes], cuts: list[int], *, has_content: bool
) -> None:
    """However the stream is split."""
    stream = b"".join(comments) + EVENT * 2 * has_content
    bounds = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    parts = [stream[start:end] for start, end in pairwise(bounds)]
    upstream = Upstream(*parts)
    await skip_comments(cast("UpstreamConnection", upstream))
    assert b"".join(upstream.parts) == EVENT * 2 * has_content
    assert upstream.is_put_back is has_content


async def test_a_comment_without_an_end_is_not_kept_for_ever() -> None:
    """Else a node could fill the memory."""
    part, number = b":" + b"x" * 1023, 2 * MAX_COMMENT_BYTES // 1024
    upstream = Upstream(*[part] * number)
    await skip_comments(cast("UpstreamConnection", upstream))
    assert len(upstream.parts) > number // 3
    assert b"".join(upstream.parts) == part * number
