"""HTTP/1.1 heads of the hub's hosts: parses and formats them. Pure."""

import http
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

Headers = tuple[tuple[str, str], ...]


class BadRequestError(Exception):
    """The bytes are not HTTP."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request. ``target`` is path and query, also if the client uses the host as a proxy."""

    method: str
    target: str
    headers: Mapping[str, str]
    """Names in lower case; of several with one name the last."""
    authority: str
    """The requested host: of an absolute target, else of the Host header."""

    @property
    def path(self) -> str:
        """The path, quoted as sent."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> Mapping[str, list[str]]:
        """The values of the query."""
        return parse_qs(self.target.partition("?")[2], keep_blank_values=True)

    def first(self, name: str, default: str = "") -> str:
        """Return the first value of a query field."""
        return self.query.get(name, [default])[0]

    @property
    def stays_open(self) -> bool:
        """Whether the client keeps the connection."""
        return self.headers.get("connection", "").lower() != "close"


def read_head(head: bytes) -> Request:
    """Parse a head, without its empty line."""
    lines = head.decode("latin-1").split("\r\n")
    words = lines[0].split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        raise BadRequestError(lines[0][:80])
    pairs = (line.partition(":") for line in lines[1:])
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    target, authority = words[1], headers.get("host", "")
    if not target.startswith("/"):
        parts = urlsplit(target)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        authority = parts.netloc
    return Request(method=words[0], target=target, headers=headers, authority=authority)


def head_bytes(status: int, headers: Headers) -> bytes:
    """Return the head of a response."""
    try:
        phrase = http.HTTPStatus(status).phrase
    except ValueError:
        phrase = "Unknown"
    lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {value}" for name, value in headers)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace")


def merged(headers: Headers, more: Headers, *, without: tuple[str, ...] = ()) -> Headers:
    """Return ``headers`` with those of ``more`` in place of the same names, and without some."""
    gone = {name.lower() for name, _ in more} | {name.lower() for name in without}
    return (*(pair for pair in headers if pair[0].lower() not in gone), *more)
