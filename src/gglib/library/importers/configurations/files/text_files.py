"""Decodes the bytes of a configuration file. Pure."""

import codecs

from gglib.core.errors import InvalidSettingError
from gglib.core.sizes import format_size

MAX_BYTES = 1_000_000
"""Far above any configuration written by hand; parsing takes less than a second."""
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def decoded(content: bytes, name: str) -> str:
    """Return the text of a file: UTF-8, or what its byte order mark says. Raises ``InvalidSettingError``."""
    if len(content) > MAX_BYTES:
        raise InvalidSettingError(
            f"{name} is larger than {format_size(MAX_BYTES)}: name a configuration file, not a model."
        )
    mark, encoding = next((found for found in _MARKS if content.startswith(found[0])), (b"", "utf-8"))
    try:
        text = content[len(mark) :].decode(encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InvalidSettingError(
            f"{name}, line {line}: it is not valid {encoding.upper()}; save the file as UTF-8."
        ) from None
    if "\0" in text:
        raise InvalidSettingError(f"{name} is not a text: name a configuration file.")
    if not text.strip():
        raise InvalidSettingError(f"{name} is empty: name a configuration file.")
    return text
