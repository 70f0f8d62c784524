"""Refuses changes of slots that belong to gglib, and file names of saved slots that are not plain names. Pure.

``POST /slots/{id}?action=save`` writes ``filename`` below the engine's ``--slot-save-path``. The engine checks the name
itself (``fs_validate_filename``); a path never reaches it. In engines that it launched, gglib saves and restores the
slots, and knows which prompt is in which slot.
"""

import json
import re

from gglib.core.models import RunningTarget
from gglib.proxy.errors import BadRequestError, UnsupportedByModelError

_PLAIN_NAME = re.compile(r"[\w-][\w. -]{0,199}", re.ASCII)


def refuse_own_slots(target: RunningTarget) -> None:
    """Raise ``UnsupportedByModelError`` for an engine whose slots gglib chooses (``RunningTarget.slots``)."""
    if target.slots is not None:
        raise UnsupportedByModelError(
            f"gglib itself saves, restores and erases the slots of '{target.model_name}': see the setting 'kv_keep'."
        )


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
