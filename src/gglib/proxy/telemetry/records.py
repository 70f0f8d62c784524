"""What is remembered of what is over: for the log and for the metrics. Pure."""

from dataclasses import dataclass
from typing import NamedTuple


@dataclass(slots=True)
class RequestRecord:
    """One request. Times in seconds. Not frozen, because that costs; the observer adds the tokens, nobody the rest."""

    method: str
    path: str
    model: str | None
    status: int | None
    request_id: str
    waited_s: float | None
    """How long it waited for its model; None where it got to none."""
    first_byte_s: float | None
    """From its arrival to the first byte of the answer's body; heartbeats do not count."""
    duration_s: float
    chunks: int
    is_streamed: bool
    error_code: str | None
    """The code of what it failed with; None where it did not."""
    key_name: str | None = None
    """The name of the key that it carried; None where it needed none."""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    """What its answer reports; None where it does not."""
    cut: str | None = None
    """Why an answer that had begun did not reach its end: the code of an error, ``client_left`` or ``client_stalled``;
    None where it did, or had not begun."""


class Refusal(NamedTuple):
    """What the HTTP server refused before it was a request."""

    status: int
    reason: str
    request_id: str
