"""Removes private keys in PEM form from a text. Pure, and takes linear time."""

import re

_BEGIN = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_END = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_CONTENT = re.compile(r"[A-Za-z0-9+/=\s\\:,()\-]*+")
_CONTENT_CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=\r\n\\"
_MARK = "PRIVATE KEY"


def without_private_keys(text: str, replacement: str) -> str:
    """Return the text with each private key replaced, also one whose beginning or end is missing."""
    if _MARK not in text:
        return text
    kept: list[str] = []
    position, has_end = 0, True
    while (begin := _BEGIN.search(text, position)) is not None:
        kept += (_without_ends(text[position : begin.start()], replacement), replacement)
        end = _END.search(text, begin.end()) if has_end else None
        has_end = end is not None
        closing = end or _CONTENT.match(text, begin.end())
        position = begin.end() if closing is None else closing.end()
    kept.append(_without_ends(text[position:], replacement))
    return "".join(kept)


def _without_ends(text: str, replacement: str) -> str:
    """Return a text without the last parts of keys whose beginnings are missing."""
    *parts, rest = _END.split(text)
    return "".join(part.rstrip(_CONTENT_CHARACTERS) + replacement for part in parts) + rest
