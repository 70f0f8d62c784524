"""Sums of saved and restored prompts."""

from gglib.core.runtime.kept_prompts import NO_TRANSFER, KeptTransfer, transfer_texts


def test_transfers_add_up() -> None:
    """Each figure."""
    one = KeptTransfer(slots=1, tokens=20, size_bytes=300, seconds=0.5)
    assert one + one == KeptTransfer(slots=2, tokens=40, size_bytes=600, seconds=1.0)
    assert NO_TRANSFER + one == one


def test_transfers_are_phrases_in_their_order() -> None:
    """Without those that did not happen."""
    saved = KeptTransfer(slots=1, tokens=50, size_bytes=1, seconds=1.5)
    restored = KeptTransfer(slots=2, tokens=2006, size_bytes=1, seconds=0.024)
    assert transfer_texts(saved, restored) == ("saved 50 tokens in 1.50 s", "restored 2,006 tokens in 0.02 s")
    assert transfer_texts(None, restored) == ("restored 2,006 tokens in 0.02 s",)
    assert transfer_texts(None, None) == ()
