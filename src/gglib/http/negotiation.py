"""Interprets the headers that select a representation: ``Accept-Encoding`` and ``If-None-Match`` (RFC 9110). Pure.

Values are those of all headers of a name, joined by commas; empty without the header.
"""

import re

_GZIP_NAMES = (b"gzip", b"x-gzip")
_ANY = b"*"
_WEIGHT = re.compile(rb"q[ \t]*=[ \t]*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)")
_OPAQUE_TAG = re.compile(rb'"[!#-~\x80-\xff]*"')


def accepts_gzip(accept_encoding: bytes) -> bool:
    """Whether a client accepts gzip: named, or by ``*``, with a weight above 0. Without the header it does not.

    A coding with an invalid weight or another parameter is not accepted.
    """
    accepted: dict[bytes, bool] = {}
    for item in accept_encoding.lower().split(b","):
        coding, *parameters = (part.strip(b" \t") for part in item.split(b";"))
        accepted[coding] = all(map(_is_positive_weight, parameters))
    named = [accepted[name] for name in _GZIP_NAMES if name in accepted]
    return any(named) if named else accepted.get(_ANY, False)


def matches_etag(if_none_match: bytes, etag: bytes) -> bool:
    """Whether a client has the representation with this ``ETag``, by weak comparison."""
    if if_none_match.strip(b" \t") == _ANY:
        return True
    return etag.removeprefix(b"W/") in _OPAQUE_TAG.findall(if_none_match)


def _is_positive_weight(parameter: bytes) -> bool:
    match = _WEIGHT.fullmatch(parameter)
    return match is not None and match[1].strip(b"0.") != b""
