"""What an answer to a request for a file means. Pure.

Where a rule comes from: RFC 9110 (ranges 14, If-Range 13.1.5, Retry-After 10.2.3), and huggingface_hub's
``hf_raise_for_status`` and ``parse_ratelimit_headers`` for what the hub says in headers of its own.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from gglib.core.errors import GatedRepositoryError, HubError, RepositoryNotFoundError
from gglib.core.hub.repository import RemoteFile
from gglib.hf.api_errors import Asked, refusal

# Eighteen digits are an exabyte, and what the arithmetic of files takes.
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", re.ASCII)
_UNSATISFIED = re.compile(r"bytes \*/(\d{1,18})", re.ASCII)
_RATE_LIMIT = re.compile(r"\"\w+\"\s*;\s*r\s*=\s*0\s*;\s*t\s*=\s*(\d{1,9})", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}")
_DEFAULT_WAIT_S = 5.0
_SETTLED_S = 1.0
_LONGEST_VALIDATOR = 1024
"""In characters; a longer one is not kept: a server may make it as long as it likes."""


class LostError(Exception):
    """The connection, or the server behind it, failed in a way that another try may mend."""


class PatienceError(Exception):
    """The server asks to be left alone for ``wait_s`` seconds."""

    def __init__(self, wait_s: float) -> None:
        super().__init__(f"the server asks to wait {wait_s:.0f} s")
        self.wait_s = wait_s


class ChangedError(Exception):
    """What the server has is another version than what is here, or none that can be gone on with.

    ``is_counted``: the failure before it was counted, and paused for, already.
    """

    def __init__(self, message: str, *, is_counted: bool = False) -> None:
        super().__init__(message)
        self.is_counted = is_counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """What follows a head: which bytes of which version."""

    first_byte: int
    length_bytes: int | None
    """None where the end is told by the framing alone."""
    total_bytes: int | None
    etag: str | None
    is_part: bool
    """Whether the server sent a part, as it was asked to."""
    validator: str | None = None
    """Distinguishes the versions of the file (see ``validator_of``)."""


def read_body(status: int, headers: Mapping[str, str], *, first_byte: int, is_chunked: bool) -> Body:
    """Return what a 200 or 206 brings. Raises ``ChangedError`` for another part than was asked for."""
    length = whole_number(headers.get("Content-Length"))
    etag, validator = headers.get("ETag"), validator_of(headers)
    if status == 206:
        found = _CONTENT_RANGE.fullmatch(headers.get("Content-Range", "").strip())
        if found is None or int(found[1]) != first_byte:
            raise ChangedError(
                f"asked for the bytes from {first_byte}, was sent {headers.get('Content-Range')!r}"
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
            "The server does not say how long the file is, so a cut could not be told from its end."
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
    """Return how long the file is, from an answer 416."""
    found = _UNSATISFIED.fullmatch(headers.get("Content-Range", "").strip())
    return None if found is None else int(found[1])


def strong(etag: str | None) -> str | None:
    """Return an ETag that may stand in If-Range: not a weak one, which says only that the meaning is the same."""
    return etag if etag is not None and etag.startswith('"') else None


def validator_of(headers: Mapping[str, str]) -> str | None:
    """Return what changes whenever the file does: the ``ETag``, else ``Last-Modified``; None where neither is usable.

    A date counts seconds, so it distinguishes nothing while the second that it names is not over: a ``Date`` at least
    one second later shows that it is (RFC 9110, 8.8.2.2). A server without a clock sends no ``Date``, and is believed.
    """
    etag, modified = headers.get("ETag", "").strip(), headers.get("Last-Modified", "").strip()
    validator = etag or (modified if _is_settled(modified, headers.get("Date", "").strip()) else "")
    return validator if 0 < len(validator) <= _LONGEST_VALIDATOR else None


def _is_settled(modified: str, date: str) -> bool:
    try:
        at_s = parsedate_to_datetime(modified).timestamp()
        return not date or parsedate_to_datetime(date).timestamp() - at_s >= _SETTLED_S
    except (ValueError, OverflowError):
        return False


def linked_sha256(headers: Mapping[str, str]) -> str | None:
    """Return the hash that the hub names for a large file."""
    etag = headers.get("X-Linked-Etag", "").strip('"').lower()
    return etag if _SHA256.fullmatch(etag) else None


def whole_number(text: str | None) -> int | None:
    """Return a header's value as a number, None where it is none."""
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 19 else None


def wait_asked_s(headers: Mapping[str, str], now: float) -> float | None:
    """Return how long a server wants to be left alone, None where it does not say; ``now`` is Unix time."""
    after = headers.get("Retry-After", "").strip()
    if (seconds := whole_number(after)) is not None:
        return float(seconds)
    if after:
        try:
            return max(0.0, parsedate_to_datetime(after).timestamp() - now)
        except (ValueError, OverflowError):
            pass
    limit = _RATE_LIMIT.search(headers.get("RateLimit", ""))
    return None if limit is None else float(limit[1]) + 1.0


def raise_for(status: int, headers: Mapping[str, str], asked: Asked, *, is_hub: bool, now: float) -> None:
    """Raise what an answer that brings no file means; return for 200 and 206.

    ``is_hub`` says whether the hub itself answered, and not who it redirected to; ``now`` is Unix time in seconds.
    """
    if status in {200, 206}:
        return
    wait_s = wait_asked_s(headers, now)
    if status == 429 or (status == 503 and wait_s is not None):
        raise PatienceError(_DEFAULT_WAIT_S if wait_s is None else wait_s)
    if status >= 500 or status in {408, 425}:
        raise LostError(f"the server answered {status}")
    if asked.repo is not None and is_hub:
        raise refusal(status, {name.lower(): value for name, value in headers.items()}, asked)
    if asked.repo is not None and status in {401, 403, 404}:
        # The address that the hub signed has expired: it is asked for another one.
        raise LostError(f"the address that the hub gave was refused with {status}")
    if status in {404, 410}:
        raise RepositoryNotFoundError(
            f"There is no {asked.file} at its address ({status}): check the address."
        )
    if status in {401, 403}:
        raise GatedRepositoryError(
            f"Who has {asked.file} does not give it to everybody ({status}): use a browser, and 'gglib add'."
        )
    raise HubError(f"The server answers {status} when it is asked for {asked.file}: check the address.")


def asked_for(file: RemoteFile, endpoint: str, *, has_token: bool) -> Asked:
    """Return for what, of whom and as whom: what a refusal has to name."""
    return Asked(
        endpoint=endpoint, repo=file.repo, revision=file.revision, file=file.name, had_token=has_token
    )
