"""What a response to a request for a file means. Pure.

Sources: RFC 9110 (ranges 14, If-Range 13.1.5, Retry-After 10.2.3), and huggingface_hub's ``hf_raise_for_status`` and
``parse_ratelimit_headers`` for the hub's own headers.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from gglib.core.errors import GatedRepositoryError, HubError, RepositoryNotFoundError
from gglib.core.hub.repository import RemoteFile
from gglib.hf.api_errors import HubRequest, error_for

# Eighteen digits are an exabyte, and fit in a file offset.
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", re.ASCII)
_UNSATISFIED = re.compile(r"bytes \*/(\d{1,18})", re.ASCII)
_RATE_LIMIT = re.compile(r"\"\w+\"\s*;\s*r\s*=\s*0\s*;\s*t\s*=\s*(\d{1,9})", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}")
_DEFAULT_WAIT_S = 5.0
_STRONG_DATE_S = 1.0
_MAX_VALIDATOR_CHARACTERS = 1024
"""In characters; longer validators are dropped: their length is up to the server."""


class TransientError(Exception):
    """The connection or the server failed in a way that a retry may fix."""


class RetryAfterError(Exception):
    """The server asks to wait ``wait_s`` seconds before the next request."""

    def __init__(self, wait_s: float) -> None:
        super().__init__(f"the server asks to wait {wait_s:.0f} s")
        self.wait_s = wait_s


class FileChangedError(Exception):
    """The server's version differs from the stored one, or its response cannot be resumed.

    ``is_counted``: the failure was already counted and paused for.
    """

    def __init__(self, message: str, *, is_counted: bool = False) -> None:
        super().__init__(message)
        self.is_counted = is_counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """The body that follows a head: which bytes of which version."""

    first_byte: int
    length_bytes: int | None
    """None if only the framing marks the end."""
    total_bytes: int | None
    etag: str | None
    is_part: bool
    """Whether the server sent the requested range."""
    validator: str | None = None
    """Identifies the version of the file (see ``validator_of``)."""


def describe_body(status: int, headers: Mapping[str, str], *, first_byte: int, is_chunked: bool) -> Body:
    """Return what a 200 or 206 contains. Raises ``FileChangedError`` for a range that was not requested."""
    length = parse_number(headers.get("Content-Length"))
    etag, validator = headers.get("ETag"), validator_of(headers)
    if status == 206:
        found = _CONTENT_RANGE.fullmatch(headers.get("Content-Range", "").strip())
        if found is None or int(found[1]) != first_byte:
            raise FileChangedError(
                f"requested the bytes from {first_byte}, received {headers.get('Content-Range')!r}"
            )
        total = None if found[3] == "*" else int(found[3])
        sent = int(found[2]) - first_byte + 1
        return Body(
            first_byte=first_byte,
            length_bytes=sent,
            total_bytes=total,
            etag=etag,
            is_part=True,
            validator=validator,
        )
    if length is None and not is_chunked:
        raise HubError(
            "The server does not send the length of the file, so a truncated download could not be detected."
        )
    return Body(
        first_byte=0,
        length_bytes=None if is_chunked else length,
        total_bytes=length,
        etag=etag,
        is_part=False,
        validator=validator,
    )


def unsatisfied_total(headers: Mapping[str, str]) -> int | None:
    """Return the length of the file from a 416 response."""
    found = _UNSATISFIED.fullmatch(headers.get("Content-Range", "").strip())
    return None if found is None else int(found[1])


def strong_etag(etag: str | None) -> str | None:
    """Return an ETag that is valid in If-Range: not a weak one, which allows different bytes."""
    return etag if etag is not None and etag.startswith('"') else None


def validator_of(headers: Mapping[str, str]) -> str | None:
    """Return what changes with the file: the ``ETag``, else ``Last-Modified``; None if neither is usable.

    A date counts seconds, so it identifies a version only after its second is over: a ``Date`` at least one second
    later proves that (RFC 9110, 8.8.2.2). A server without a clock sends no ``Date``; its ``Last-Modified`` is
    accepted.
    """
    etag, modified = headers.get("ETag", "").strip(), headers.get("Last-Modified", "").strip()
    validator = etag or (modified if _is_strong_date(modified, headers.get("Date", "").strip()) else "")
    return validator if 0 < len(validator) <= _MAX_VALIDATOR_CHARACTERS else None


def _is_strong_date(modified: str, date: str) -> bool:
    try:
        at_s = parsedate_to_datetime(modified).timestamp()
        return not date or parsedate_to_datetime(date).timestamp() - at_s >= _STRONG_DATE_S
    except (ValueError, OverflowError):
        return False


def linked_sha256(headers: Mapping[str, str]) -> str | None:
    """Return the hash that the hub sends for a large file."""
    etag = headers.get("X-Linked-Etag", "").strip('"').lower()
    return etag if _SHA256.fullmatch(etag) else None


def parse_number(text: str | None) -> int | None:
    """Return a header's value as a number, None if it is not one."""
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 19 else None


def retry_after_s(headers: Mapping[str, str], now: float) -> float | None:
    """Return how many seconds the server asks to wait, None if it does not say; ``now`` is Unix time."""
    after = headers.get("Retry-After", "").strip()
    if (seconds := parse_number(after)) is not None:
        return float(seconds)
    if after:
        try:
            return max(0.0, parsedate_to_datetime(after).timestamp() - now)
        except (ValueError, OverflowError):
            pass
    limit = _RATE_LIMIT.search(headers.get("RateLimit", ""))
    return None if limit is None else float(limit[1]) + 1.0


def raise_for_status(
    status: int, headers: Mapping[str, str], hub_request: HubRequest, *, is_hub: bool, now: float
) -> None:
    """Raise the error of an unsuccessful response; return for 200 and 206.

    ``is_hub`` says whether the hub itself responded, without a redirect to another host; ``now`` is Unix time in
    seconds.
    """
    if status in {200, 206}:
        return
    wait_s = retry_after_s(headers, now)
    if status == 429 or (status == 503 and wait_s is not None):
        raise RetryAfterError(_DEFAULT_WAIT_S if wait_s is None else wait_s)
    if status >= 500 or status in {408, 425}:
        raise TransientError(f"the server responded with {status}")
    if hub_request.repo is not None and is_hub:
        raise error_for(status, {name.lower(): value for name, value in headers.items()}, hub_request)
    if hub_request.repo is not None and status in {401, 403, 404}:
        # The address that the hub signed has expired: a retry gets another one.
        raise TransientError(f"the signed address was refused with {status}")
    if status in {404, 410}:
        raise RepositoryNotFoundError(
            f"{hub_request.file} does not exist at its address ({status}): check the address."
        )
    if status in {401, 403}:
        raise GatedRepositoryError(
            f"The server of {hub_request.file} requires a login ({status}): use a browser, then 'gglib add'."
        )
    raise HubError(f"The server responded with {status} for {hub_request.file}: check the address.")


def hub_request_for(file: RemoteFile, endpoint: str, *, has_token: bool) -> HubRequest:
    """Return the description of a request, for error messages."""
    return HubRequest(
        endpoint=endpoint, repo=file.repo, revision=file.revision, file=file.name, had_token=has_token
    )
