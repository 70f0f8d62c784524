"""A size as people say it."""

import pytest

from gglib.system.files.sizes import size_words


@pytest.mark.parametrize(
    ("size_bytes", "words"),
    [(0, "0 MB"), (1, "1 MB"), (1_600_000, "2 MB"), (999_000_000, "999 MB"), (1_000_000_000, "1.0 GB")],
)
def test_a_size_has_the_unit_that_people_use(size_bytes: int, words: str) -> None:
    """What is there at all is never said to be nothing."""
    assert size_words(size_bytes) == words
