"""Parses bodies of ``multipart/form-data`` (RFC 7578). Pure.

Stricter than the RFC where parsers disagree, because the body is forwarded to another one: no preamble, epilogue or
nested parts, one ``Content-Disposition`` of one form for each part, and no transfer encodings. File names have no
semicolon, at which some parsers split even a quoted name.
"""

import re
from typing import NamedTuple

from gglib.http.errors import MalformedFormError

MAX_PARTS = 64
MAX_PART_HEAD_BYTES = 4096
MAX_NAME_CHARS = 100

_BOUNDARY = re.compile(
    rb"""multipart/form-data[ \t]*;[ \t]*boundary=(?:"([0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-])"
    |([0-9A-Za-z'+_.-]{1,70}))[ \t]*;?[ \t]*""",
    re.IGNORECASE | re.VERBOSE,
)
_FIELD = re.compile(rb"([A-Za-z-]{1,40}):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)")
_DISPOSITION = re.compile(
    rb"""form-data;[ ]?name=(?:"(?P<quoted>[A-Za-z0-9_.\[\]-]+)"|(?P<token>[A-Za-z0-9_.-]+))"""
    rb"""(?P<file>;[ ]?filename=(?:"[^";\\]*"|[!-:<-~]+))?(?:;[ ]?filename\*=[!-:<-~]+)?""",
    re.VERBOSE,
)
_NAMES = frozenset((b"content-disposition", b"content-type", b"content-length"))
_CRLF, _END = b"\r\n", b"--"


class FormPart(NamedTuple):
    """A field of a form."""

    name: str
    is_file: bool
    """Whether it has a file name."""
    content: memoryview
    """A view of the body."""
    start: int
    """Where the content begins in the body."""


def read_boundary(content_type: bytes) -> bytes:
    """Return the boundary in a ``Content-Type``. Raises ``MalformedFormError`` for other types."""
    match = _BOUNDARY.fullmatch(content_type.strip())
    if match is None:
        raise MalformedFormError("The request must be 'multipart/form-data' with a boundary.")
    return bytes(match[1] or match[2])


def read_form(body: bytes, boundary: bytes) -> list[FormPart]:
    """Return the parts of a form, in order. Raises ``MalformedFormError``."""
    delimiter = b"--" + boundary
    position = body.startswith(_CRLF) * len(_CRLF)
    if not body.startswith(delimiter, position):
        raise MalformedFormError("The form does not begin with its boundary.")
    position += len(delimiter)
    parts: list[FormPart] = []
    view = memoryview(body)
    while not body.startswith(_END, position):
        if not body.startswith(_CRLF, position):
            raise MalformedFormError("A boundary of the form is not followed by a new line.")
        if len(parts) >= MAX_PARTS:
            raise MalformedFormError(f"The form has more than {MAX_PARTS} parts.")
        head_end = body.find(b"\r\n\r\n", position, position + MAX_PART_HEAD_BYTES)
        content = head_end + 4
        end = body.find(_CRLF + delimiter, content) if head_end >= 0 else -1
        if end < 0:
            raise MalformedFormError("A part of the form has no end, or its headers are too long.")
        name, is_file = _read_head(body[position + len(_CRLF) : head_end])
        parts.append(FormPart(name, is_file, view[content:end], content))
        position = end + len(_CRLF) + len(delimiter)
    if body[position + len(_END) :] not in {b"", _CRLF}:
        raise MalformedFormError("The form has content after its end.")
    return parts


def _read_head(head: bytes) -> tuple[str, bool]:
    """Return the name of a part, and whether it is a file."""
    disposition = None
    for line in head.split(_CRLF):
        field = _FIELD.fullmatch(line)
        name = b"" if field is None else field[1].lower()
        if field is None or name not in _NAMES:
            raise MalformedFormError("A part of the form has a header that is not accepted.")
        if name == b"content-disposition":
            if disposition is not None:
                raise MalformedFormError("A part of the form has two names.")
            disposition = _DISPOSITION.fullmatch(field[2])
    if disposition is None:
        raise MalformedFormError("A part of the form has no valid name.")
    name = disposition["quoted"] or disposition["token"]
    if len(name) > MAX_NAME_CHARS:
        raise MalformedFormError("A name in the form is too long.")
    return name.decode(), disposition["file"] is not None
