"""The JSON of a saved conversation. Pure.

``{"version": 1, "model", "settings": {…}, "messages": [{"role", "content", "images"?, "is_partial"?}]}``
"""

import re
from typing import Any

from gglib.cli.chat.conversation import Conversation, Message
from gglib.cli.chat.settings import SETTING_NAMES, check_value
from gglib.core.errors import GglibError, InvalidSettingError
from gglib.core.plain_text import json_text

VERSION = 1
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?", re.IGNORECASE)
"""File names that Windows does not have."""


def check_chat_name(name: str) -> str:
    """Return the name of a saved conversation if it is a safe file name. Raises ``GglibError``."""
    if not _NAME.fullmatch(name) or name.endswith(".") or _RESERVED.fullmatch(name):
        raise GglibError(
            f"'{name}' cannot name a conversation: use 1 to 100 letters, digits and the characters '.', '_' and '-'."
        )
    return name


def saved_text(conversation: Conversation) -> str:
    """Return the JSON of a conversation."""
    return json_text(
        {
            "version": VERSION,
            "model": conversation.model,
            "settings": conversation.settings,
            "messages": [_fields_of(message) for message in conversation.messages],
        },
        indent=1,
    )


def read_saved(content: object) -> Conversation:
    """Return the conversation of parsed JSON. Raises ValueError for another form."""
    if not isinstance(content, dict) or content.get("version") != VERSION:
        raise ValueError(f"it is not a conversation of version {VERSION}")
    model, messages, settings = (content.get(name) for name in ("model", "messages", "settings"))
    if not (isinstance(model, str) and isinstance(messages, list) and isinstance(settings, dict)):
        raise ValueError("it has no model, messages or settings")  # noqa: TRY004 - of JSON
    try:
        known = {name: check_value(name, settings[name]) for name in SETTING_NAMES if name in settings}
    except InvalidSettingError as error:
        raise ValueError(f"{error}".rstrip(".")) from None
    return Conversation(model, settings=known, messages=list(map(_message_of, messages)))


def _fields_of(message: Message) -> dict[str, Any]:
    fields: dict[str, Any] = {"role": message.role, "content": message.text}
    if message.images:
        fields["images"] = list(message.images)
    if message.is_partial:
        fields["is_partial"] = True
    return fields


def _message_of(fields: object) -> Message:
    if not isinstance(fields, dict):
        raise ValueError("a message is not an object")  # noqa: TRY004 - of JSON
    role, text, images = fields.get("role"), fields.get("content"), fields.get("images", [])
    if role not in {"user", "assistant"} or not isinstance(text, str):
        raise ValueError("a message has no role or no text")
    if not isinstance(images, list) or not all(
        isinstance(url, str) and url.startswith("data:") for url in images
    ):
        raise ValueError("a message has images that are no data: URLs")
    return Message(role, text, tuple(images), is_partial=bool(fields.get("is_partial")))
