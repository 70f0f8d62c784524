"""Formatting and parsing of sizes."""

import pytest

from gglib.core.sizes import format_size, parse_size


@pytest.mark.parametrize(
    ("size_bytes", "words"),
    [
        (0, "0 MB"),
        (1, "1 kB"),
        (1_500, "2 kB"),
        (999_499, "999 kB"),
        (999_500, "1 MB"),  # not 1000 kB
        (1_600_000, "2 MB"),
        (999_499_999, "999 MB"),
        (999_500_000, "1.0 GB"),  # not 1000 MB
        (1_000_000_000, "1.0 GB"),
        (2_000_000_000_000, "2000.0 GB"),
    ],
)
def test_size_has_its_usual_unit(size_bytes: int, words: str) -> None:
    """In decimal units, and never as a thousand of one; only zero bytes are shown as 0 MB."""
    assert format_size(size_bytes) == words


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [
        ("8G", 8 * 10**9),
        ("8g", 8 * 10**9),
        ("8GB", 8 * 10**9),
        (" 1.5 gb ", 15 * 10**8),
        ("500M", 5 * 10**8),
        ("700k", 7 * 10**5),
        ("1T", 10**12),
        ("8GiB", 8 * 2**30),
        ("512Mi", 512 * 2**20),
    ],
)
def test_size_is_parsed_in_common_notation(text: str, size_bytes: int) -> None:
    """Decimal units as files are shown, binary ones with their suffix."""
    assert parse_size(text) == size_bytes


@pytest.mark.parametrize("text", ["", "8", "G", "-1G", "0G", "1e3G", "8 GX", "nan G", "8G8G", "1" * 10 + "G"])
def test_invalid_size_is_refused(text: str) -> None:
    """A bare number is ambiguous."""
    with pytest.raises(ValueError, match=r"^" + text.replace("+", r"\+")):
        parse_size(text)
