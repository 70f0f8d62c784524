"""Parsing of sizes."""

import pytest

from gglib.cli.sizes import parse_size
from gglib.core.errors import InvalidSettingError


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
    assert parse_size(text, "--max-size") == size_bytes


@pytest.mark.parametrize("text", ["", "8", "G", "-1G", "0G", "1e3G", "8 GX", "nan G", "8G8G", "1" * 10 + "G"])
def test_invalid_size_is_refused(text: str) -> None:
    """With the option's name and an example; a bare number is ambiguous."""
    with pytest.raises(InvalidSettingError, match=r"--max-size is .* must be a size like 8G"):
        parse_size(text, "--max-size")
