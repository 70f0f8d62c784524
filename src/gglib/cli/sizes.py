"""Parses sizes such as ``8G``."""

from gglib.core.errors import InvalidSettingError
from gglib.core.sizes import parse_size


def parse_size_option(text: str, option: str) -> int:
    """Return the bytes of an option's value (``parse_size``). Raises ``InvalidSettingError``."""
    try:
        return parse_size(text)
    except ValueError:
        raise InvalidSettingError(f"{option} is {text!r}, but it must be a size like 8G or 500M.") from None
