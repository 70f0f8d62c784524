"""gglib beside h11 and httptools: the short form of ``python -m scripts.compare_parsers``."""

import pytest
from scripts import compare_parsers as parsers

from .mutate import mutant

ACCEPTED = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


def test_accepts_nothing_that_both_others_refuse() -> None:
    """No request of 3,000 is accepted by gglib alone, and none is read in another way."""
    comparison = parsers.Comparison()
    seed = 0
    while comparison.judged < 3000:
        seed += 1
        parsers.compare(mutant(seed).parts, comparison, label=f"seed {seed}")
    assert comparison.complaints == []
    assert comparison.counts["accepted by gglib"] > 500
    assert comparison.counts["refused by gglib"] > 500


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        (ACCEPTED.replace(b"GET", b"G(T"), parsers.Request(b"G(T", b"/", b"")),
        (ACCEPTED.replace(b"localhost", b"local\x00host"), parsers.Request(b"GET", b"/", b"")),
        (ACCEPTED, parsers.Request(b"GET", b"/other", b"")),
    ],
    ids=["method", "nul", "target"],
)
def test_a_lenient_parser_is_noticed(
    monkeypatch: pytest.MonkeyPatch, sent: bytes, read: parsers.Request
) -> None:
    """The comparison complains of a reading that only gglib has."""
    monkeypatch.setattr(parsers, "read_with_gglib", lambda _: parsers.Reading([read]))
    comparison = parsers.Comparison()
    parsers.compare([sent], comparison, label="made")
    assert len(comparison.complaints) == 1


@pytest.mark.parametrize("cut", range(1, 60))
def test_all_read_pipelined_requests_alike_wherever_they_are_cut(cut: int) -> None:
    """The comparison itself does not depend on how the bytes arrive."""
    raw = (
        ACCEPTED
        + b"POST /v1 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
        + ACCEPTED
    )
    parts = [raw[:cut], raw[cut : cut + 7], raw[cut + 7 :]]
    readings = [
        read(parts) for read in (parsers.read_with_gglib, parsers.read_with_h11, parsers.read_with_httptools)
    ]
    assert [reading.requests for reading in readings] == [readings[0].requests] * 3
    assert len(readings[0].requests) == 3
