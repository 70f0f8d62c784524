"""Reads the options that set something for one model."""

from gglib.core.errors import InvalidSettingError
from gglib.settings import CONTEXT_MUST_BE, parse_context

DEFAULT_WORD = "default"
"""Takes a setting of a model back."""


def context_of(text: str | None) -> int | None:
    """Return the context in tokens that ``--ctx`` says; None when it is not given. Raises ``InvalidSettingError``."""
    if text is None:
        return None
    try:
        return parse_context(text)
    except ValueError:
        raise InvalidSettingError(f"--ctx is {text!r}, but it must be {CONTEXT_MUST_BE}.") from None
