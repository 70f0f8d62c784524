"""Sizes as options."""

import pytest

from gglib.cli.sizes import parse_size_option
from gglib.core.errors import InvalidSettingError


def test_size_of_an_option_is_parsed() -> None:
    """In bytes."""
    assert parse_size_option("8G", "--max-size") == 8 * 10**9


def test_invalid_size_is_refused_with_the_option() -> None:
    """With the option's name and an example."""
    with pytest.raises(InvalidSettingError, match=r"--max-size is '8', but it must be a size like 8G"):
        parse_size_option("8", "--max-size")
