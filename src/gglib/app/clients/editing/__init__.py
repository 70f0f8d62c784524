"""Adds values to configuration files of other programs: comments, order and everything else stay as they are. Pure."""

from gglib.app.clients.client import ConfigFile, ConfigFormat
from gglib.app.clients.editing import json_text, toml_text, yaml_text

_EDITORS = {
    ConfigFormat.JSON: json_text.edited,
    ConfigFormat.TOML: toml_text.edited,
    ConfigFormat.YAML: yaml_text.edited,
}
_BYTE_ORDER_MARK = "\ufeff"


def edited_text(text: str, file: ConfigFile) -> str:
    """Return the text of a configuration file with the values; the same text if it has them.

    Raises ValueError with a phrase about the file (``it is not JSON: line 3``) if it cannot be changed safely.
    """
    mark = _BYTE_ORDER_MARK if text.startswith(_BYTE_ORDER_MARK) else ""
    lines = text.removeprefix(mark)
    before = lines.replace("\r\n", "\n")
    is_crlf = before != lines
    if is_crlf and before.replace("\n", "\r\n") != lines:
        raise ValueError("it has line ends of both kinds")
    after = _EDITORS[file.format](before, file)
    if after == before:
        return text
    return mark + (after.replace("\n", "\r\n") if is_crlf else after)
