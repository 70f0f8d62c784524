"""Refuses file names of saved slots that are not plain names. Pure.

``POST /slots/{id}?action=save`` writes ``filename`` below the engine's ``--slot-save-path``. The engine checks the name
itself (``fs_validate_filename``); a path never reaches it.
"""

import json
import re

from gglib.proxy.errors import BadRequestError

_PLAIN_NAME = re.compile(r"[\w-][\w. -]{0,199}", re.ASCII)


def refuse_slot_paths(body: bytes) -> None:
    """Raise ``BadRequestError`` if ``filename`` in a body, which is JSON or empty, is not a plain file name."""
    content = json.loads(body) if body.strip() else None
    if not isinstance(content, dict) or "filename" not in content:
        return
    name = content["filename"]
    if not isinstance(name, str) or not _PLAIN_NAME.fullmatch(name):
        raise BadRequestError(
            "'filename' must be a plain file name: letters, digits, spaces, '.', '_' and '-'.", "filename"
        )
