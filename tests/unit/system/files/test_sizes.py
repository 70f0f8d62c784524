"""Formatting of sizes."""

import pytest

from gglib.system.files.sizes import format_size


@pytest.mark.parametrize(
    ("size_bytes", "words"),
    [(0, "0 MB"), (1, "1 MB"), (1_600_000, "2 MB"), (999_000_000, "999 MB"), (1_000_000_000, "1.0 GB")],
)
def test_size_has_its_usual_unit(size_bytes: int, words: str) -> None:
    """Only zero bytes are shown as 0 MB."""
    assert format_size(size_bytes) == words
