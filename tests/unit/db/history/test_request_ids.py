"""Packed request ids are those that were packed, and are found as in the plain ones."""

from hypothesis import given
from hypothesis import strategies as st

from gglib.db.history.request_ids import MAX_REQUEST_ID, PackedIds, clean_id, pack

ids = st.lists(st.text("aB1", max_size=6).map(lambda text: ("ab" + text).encode()), min_size=1, max_size=8)
others = st.lists(st.text("abB1", max_size=6).map(str.encode), min_size=1, max_size=4)


def test_the_common_prefix_is_stored_once() -> None:
    """A later id without it shortens it."""
    packed = pack([b"req_01", b"req_02"])
    assert packed == PackedIds(b"req_0", b"\n1\n2\n")
    assert packed.extended([b"req_03"]) == PackedIds(b"req_0", b"\n1\n2\n3\n")
    assert packed.extended([b"re"]) == PackedIds(b"re", b"\nq_01\nq_02\n\n")
    assert pack([b""]).ids() == [b""]


@given(ids, others, st.text("abB1", max_size=4).map(str.encode))
def test_packed_ids(first: list[bytes], more: list[bytes], part: bytes) -> None:
    """Extended, shortened, and searched by whole ids and by parts, also at the end of the prefix."""
    packed = pack(first).extended(more)
    plain = [*first, *more]
    for found, expected in ((pack(first), first), (packed, plain), (packed.without_first(1), plain[1:])):
        assert found.ids() == expected
        assert found.find_part(part) == [n for n, each in enumerate(expected) if part in each]
        assert found.find(part) == [n for n, each in enumerate(expected) if part == each]
        for each in plain:
            assert found.find(each) == [n for n, other in enumerate(expected) if each == other]
    assert packed.lowered().ids() == [each.lower() for each in plain]
    assert packed.has_capitals() == (b"B" in b"".join(plain))


def test_ids_of_clients() -> None:
    """One line each, whatever a client sends."""
    assert clean_id("ü\nb") == b"\xc3\xbc b"
    assert clean_id("\ud800") == b"?"
    assert clean_id("x" * 300) == b"x" * MAX_REQUEST_ID
