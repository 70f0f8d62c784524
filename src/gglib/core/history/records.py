"""The record of a finished request, as the proxy makes it and the history stores it. Values only."""

from dataclasses import dataclass

CLIENT_CLOSED_REQUEST = 499
"""Recorded status if the client left before the end of the response (nginx's code). Never sent."""
FAILED_STATUS = 400
"""Requests with this status or a higher one failed."""


@dataclass(frozen=True, slots=True)
class RecordedBodies:
    """The bodies of one exchange, as the client sent and received them, within the limit of the recording."""

    request: bytes
    response: bytes
    is_request_cut: bool = False
    is_response_cut: bool = False
    """Whether bytes beyond the limit are missing; a response then has ``recording_gap`` in their place."""
    is_stream: bool = False
    """Whether the response is a stream of events or lines, not one document."""


@dataclass(slots=True)
class RequestRecord:
    """One finished request. Times in seconds. Not frozen, for speed; ``RequestRecorder`` completes it.

    It has no prompt, answer, key or query string, except in ``bodies``. The route is stored and the path is not, since
    clients may put anything into unknown paths.
    """

    method: str
    path: str
    model: str | None
    """Catalogue name of the model; None if the request names none or its name was not resolved."""
    status: int | None
    """The status of the response; ``CLIENT_CLOSED_REQUEST`` if the client left before its end."""
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
    client: str | None = None
    """IP address of the client, never IPv4-mapped; None over a unix socket."""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    """Token usage in the response; None if not reported."""
    cut: str | None = None
    """Why a started response is incomplete: an error code, ``client_left`` or ``client_stalled``; None if it is
    complete or did not start."""
    sent_status: int | None = None
    """The status that was sent, also if the client left later; None if no response was started."""
    ended_at_s: float = 0.0
    """Seconds since the epoch."""
    route: str = ""
    """The route (``routes.table.route_of``): a path or its template, ``other`` for unknown paths."""
    program: str | None = None
    """Name of the client program, from its user agent (``proxy.telemetry.programs``)."""
    requested_model: str | None = None
    """The name in the request, if it is not ``model``."""
    profile: str | None = None
    cached_tokens: int | None = None
    """Prompt tokens that the engine had in its cache, a part of ``prompt_tokens``; None if not reported."""
    tokens_per_s: float | None = None
    """Generation speed, as reported by the engine; else of the stream; None if unknown."""
    swap: str | None = None
    """The swap that it caused: ``FROM -> TO``, or ``-> TO`` if nothing was unloaded; None if it caused none."""
    error_message: str | None = None
    """Message of an error that the operator can mend; errors of clients and engines may quote a prompt, so None."""
    node: str | None = None
    """Name of the machine that computed; None: this one."""
    continues_restored: bool | None = None
    """Whether it continues a prompt that was restored after the engine's start; None: unknown. Not stored."""
    bodies: RecordedBodies | None = None
    """Only if recording is on for its model or key."""
