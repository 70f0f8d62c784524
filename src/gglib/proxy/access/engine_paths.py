"""Removes this machine's paths from what an engine reports about itself. Pure.

llama-server shows the full path of its model in ``/props`` and those of adapters in ``/lora-adapters``; only admins may
see paths.
"""

import json
from typing import NoReturn

from gglib.core.errors import UpstreamError
from gglib.proxy.dialects.base import Exchange
from gglib.proxy.errors import to_json

_PATH_FIELDS = frozenset(("model_path", "path"))
_SEPARATORS = str.maketrans("\\", "/")


class PathRedaction(Exchange):
    """Relays a report of the engine with the file names of its paths."""

    def __init__(self) -> None:
        super().__init__("", b"")

    def open_stream(self) -> NoReturn:
        """Raise ``UpstreamError``: a report is one JSON value."""
        raise UpstreamError("The engine sent a stream instead of a report about itself.")

    def translate_body(self, body: bytes) -> bytes:
        """Return the report with file names instead of paths. Raises ValueError if it is not JSON."""
        return to_json(_redacted(json.loads(body)))


def _redacted(value: object) -> object:
    """Return an object, or the objects of an array, with its paths redacted; nested ones have none."""
    if isinstance(value, list):
        return [_redacted(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {name: _file_name(item) if name in _PATH_FIELDS else item for name, item in value.items()}


def _file_name(path: object) -> object:
    return path.translate(_SEPARATORS).rpartition("/")[2] if isinstance(path, str) else path
