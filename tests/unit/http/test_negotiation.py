"""Which representation of a resource a client gets."""

import pytest

from gglib.http.negotiation import accepts_gzip, matches_etag


@pytest.mark.parametrize(
    ("accept_encoding", "expected"),
    [
        (b"", False),
        (b"gzip", True),
        (b"GZip", True),
        (b"x-gzip", True),
        (b"gzip, deflate, br, zstd", True),
        (b"br;q=1.0 , gzip ; q=0.5", True),
        (b"gzip;q=0", False),
        (b"gzip;q=0.000", False),
        (b"gzip;q=0.001", True),
        (b"gzip; Q = 1", True),
        (b"gzip;q=2", False),
        (b"gzip;q=", False),
        (b"gzip;level=9", False),
        (b"*", True),
        (b"*;q=0", False),
        (b"gzip;q=0, *", False),
        (b"*;q=0, gzip", True),
        (b"x-gzip, gzip;q=0", True),
        (b"identity", False),
        (b"br, deflate", False),
        (b"gzip2", False),
        (b",;,", False),
    ],
)
def test_gzip_is_accepted_if_it_is_named_or_any_coding_is(accept_encoding: bytes, *, expected: bool) -> None:
    """A weight of 0 refuses it, also beside ``*``."""
    assert accepts_gzip(accept_encoding) is expected


@pytest.mark.parametrize(
    ("if_none_match", "expected"),
    [
        (b"", False),
        (b"*", True),
        (b' "abc" ', True),
        (b'W/"abc"', True),
        (b'"x", W/"abc"', True),
        (b'"abcd"', False),
        (b'"ABC"', False),
        (b"abc", False),
        (b'"x,abc"', False),
    ],
)
def test_etags_are_compared_weakly(if_none_match: bytes, *, expected: bool) -> None:
    """Any of the list matches, whether it is weak or not."""
    assert matches_etag(if_none_match, b'W/"abc"') is expected
    assert matches_etag(if_none_match, b'"abc"') is expected
