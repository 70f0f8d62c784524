"""Adapts a request to a server that is not llama.cpp's: the path below its base URL, the name there, headers. Pure.

llama-server ignores ``model``, reads every body as JSON and never compresses. Other servers refuse a name that they do
not know and a body that is not declared as JSON (``curl -d`` declares a form), and compress responses that gglib has to
read. So the name is replaced in the body, whose other bytes stay unchanged, and two headers are.
"""

import json
import re
from dataclasses import replace

from gglib.core.models import RunningTarget
from gglib.http.client.pool import UpstreamRequest
from gglib.http.multipart import read_boundary, read_form
from gglib.proxy.json_scan import RootScanner

_PREFIX = "/v1"
_MODEL = "model"
_SCANNER = RootScanner((_MODEL,))
_FORM = b"multipart/form-data"
_ENCODING_LINE = re.compile(rb"^accept-encoding:.*\r\n", re.MULTILINE)
_TYPE_LINE = re.compile(rb"^content-type:.*\r\n", re.MULTILINE)
"""Header lines as ``http.response_writer`` writes them: names in lower case."""
_PLAIN, _JSON = b"accept-encoding: identity\r\n", b"content-type: application/json\r\n"


def adapted_request(request: UpstreamRequest, target: RunningTarget, content_type: bytes) -> UpstreamRequest:
    """Return the request for ``target``. ``content_type`` is that of the body, which passed the proxy's checks.

    The time grows with the size of the body: some milliseconds for a MiB.
    """
    path, body = request.path, request.body
    is_form = content_type.strip().lower().startswith(_FORM)
    if target.path_prefix != _PREFIX:
        path = _adapted_path(path, target.path_prefix.encode())
    if target.served_name is not None:
        rename = _renamed_form if is_form else _renamed_json
        body = rename(body, target.served_name, content_type)
    header_lines = _adapted_headers(request.header_lines, is_form=is_form)
    return replace(request, path=path, header_lines=header_lines, body=body)


def _adapted_headers(lines: bytes, *, is_form: bool) -> bytes:
    """Return the header lines for an uncompressed response to a form, which keeps its type, or to JSON."""
    lines = _ENCODING_LINE.sub(b"", lines) + _PLAIN
    return lines if is_form else _TYPE_LINE.sub(b"", lines) + _JSON


def _adapted_path(path: bytes, prefix: bytes) -> bytes:
    """Return ``path`` with the prefix instead of ``/v1``; other paths begin at the root of every server."""
    rest = path.removeprefix(_PREFIX.encode())
    return prefix + rest if rest != path and rest.startswith(b"/") else path


def _renamed_json(body: bytes, name: str, _: bytes) -> bytes:
    """Return a JSON object with ``model`` replaced, or added if it is missing. Duplicates were refused before."""
    value = json.dumps(name).encode()
    for _name, start, end in _SCANNER.scan(body):
        return b"".join((body[:start], value, body[end:]))
    start = body.index(b"{") + 1
    separator = b"" if body[start:].lstrip().startswith(b"}") else b","
    return b'%b"model":%b%b%b' % (body[:start], value, separator, body[start:])


def _renamed_form(body: bytes, name: str, content_type: bytes) -> bytes:
    """Return a form with the content of its part ``model`` replaced, or with such a part before the others."""
    boundary = read_boundary(content_type)
    value = name.encode()
    for part in read_form(body, boundary):
        if part.name == _MODEL:
            end = part.start + len(part.content)
            return b"".join((body[: part.start], value, body[end:]))
    part_head = b'--%b\r\ncontent-disposition: form-data; name="model"\r\n\r\n' % boundary
    return b"%b%b\r\n%b" % (part_head, value, body.removeprefix(b"\r\n"))
