"""How values are stored."""

from gglib.core.history.records import RecordedBodies
from gglib.db.history.layout import pack_bodies, to_ms, to_us, unpack_bodies


def test_bodies_are_compressed() -> None:
    """And the same when they are read."""
    bodies = RecordedBodies(b"a" * 10_000, b"\xff", is_request_cut=True)
    row = pack_bodies(bodies)
    assert len(row[0]) < 100
    assert unpack_bodies(row) == bodies


def test_times_are_rounded() -> None:
    """To milliseconds and microseconds."""
    assert (to_ms(1.0004), to_ms(1.0005)) == (1000, 1001)
    assert (to_us(0.000_001_4), to_us(0.000_001_6)) == (1, 2)
