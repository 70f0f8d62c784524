"""Refuses media that the engine would fetch from a URL. Pure.

llama-server downloads the image, audio or video of a content part whose address begins with ``http``
(``handle_media`` in ``server-common.cpp``; observed with the shipped engine, loopback addresses included). With it any
client could make this machine send requests to addresses that only this machine can reach. ``file:`` addresses are
refused by the engine itself, which is launched without ``--media-path``.
"""

import json
import re
from typing import Any, cast

from gglib.proxy.errors import BadRequestError
from gglib.proxy.json_scan import spelled

REMOTE_MEDIA = "remote_media"
"""The name that ``allowed_engine_fields`` accepts for it."""

_MEDIA_PARTS = {
    "image_url": ("image_url",),  # OpenAI's chat
    "input_image": ("image_url",),  # OpenAI's Responses
    "input_audio": ("input_audio",),
    "input_video": ("input_video",),
    "video_url": ("video_url",),
    "image": ("source",),  # Anthropic's
}
"""The types of content parts with media, and the member that has the address, or an object with it."""
_ADDRESS_KEYS = frozenset(("url", "data"))
_OPAQUE = {"tool_use": "input"}
"""Members that the engine passes to the template as text: the arguments of a tool may contain anything."""


_HTTP = "http"
_PLAIN = b'"http'
_ESCAPED = re.compile(rb'(?<!\\)"(?=[^"]{0,23}\\u00)' + spelled(_HTTP))
_ESCAPE = b"\\u00"


def _no_number(_: str) -> None:
    """Return nothing for a number: converting thousands of digits takes long."""


_decoder = json.JSONDecoder(object_pairs_hook=tuple, parse_int=_no_number, parse_float=_no_number)

_Pairs = tuple[tuple[str, Any], ...]


def refuse_remote_media(body: bytes, allowed_engine_fields: frozenset[str]) -> None:
    """Raise ``BadRequestError`` if a content part of a valid JSON ``body`` has the address of remote media.

    Most bodies have no string that begins with ``http``, which is a search at the speed of ``memchr``; only others are
    parsed.
    """
    if not _has_address(body) or REMOTE_MEDIA in allowed_engine_fields:
        return
    # All members are checked, also duplicates, of which parsers take different ones.
    address = _find(_decoder.decode(body.decode("utf-8-sig")))
    if address is not None:
        raise BadRequestError(
            "The request has media at a URL, which this server does not fetch: send it as a data URL "
            "(data:image/png;base64,...). To let clients make this machine fetch any URL, add 'remote_media' to the "
            "setting allowed_engine_fields.",
            address,
        )


def _has_address(body: bytes) -> bool:
    """Whether a string of the body begins with ``http``. A quote after a backslash begins none."""
    position = body.find(_PLAIN)
    while position >= 0:
        if body[position - 1] != ord("\\"):
            return True
        position = body.find(_PLAIN, position + 1)
    return body.find(_ESCAPE) >= 0 and _ESCAPED.search(body) is not None


def _find(value: object) -> str | None:
    """Return the member with the address of the first content part with remote media; None without one."""
    if isinstance(value, list):
        return next((found for item in value if (found := _find(item)) is not None), None)
    if not isinstance(value, tuple):
        return None
    pairs = cast("_Pairs", value)
    types = [content for name, content in pairs if name == "type" and isinstance(content, str)]
    media = {name for type_ in types for name in _MEDIA_PARTS.get(type_, ())}
    opaque = {_OPAQUE[type_] for type_ in types if type_ in _OPAQUE}
    for name, content in pairs:
        if name in media and _is_remote(content):
            return name
        if name not in opaque and (found := _find(content)) is not None:
            return found
    return None


def _is_remote(content: object) -> bool:
    if isinstance(content, tuple):
        return any(
            name in _ADDRESS_KEYS and isinstance(address, str) and address.startswith(_HTTP)
            for name, address in cast("_Pairs", content)
        )
    return isinstance(content, str) and content.startswith(_HTTP)
