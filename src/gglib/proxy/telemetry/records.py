"""The records of finished requests and refusals. Pure."""

from dataclasses import dataclass
from typing import NamedTuple


@dataclass(slots=True)
class RequestRecord:
    """One request. Times in seconds. Not frozen, for speed; ``RequestRecorder`` adds the tokens."""

    method: str
    path: str
    model: str | None
    status: int | None
    request_id: str
    waited_s: float | None
    """How long the request waited for its model; None if it was not admitted."""
    first_byte_s: float | None
    """From arrival to the first byte of the response body, without heartbeats."""
    duration_s: float
    chunks: int
    is_streamed: bool
    error_code: str | None
    """Code of the error; None on success."""
    key_name: str | None = None
    """Name of the API key of the request; None if none was needed."""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    """Token usage in the response; None if not reported."""
    cut: str | None = None
    """Why a started response is incomplete: an error code, ``client_left`` or ``client_stalled``; None if it is
    complete or did not start."""


class Refusal(NamedTuple):
    """A connection or malformed request that the HTTP server refused without calling a handler."""

    status: int
    reason: str
    request_id: str
