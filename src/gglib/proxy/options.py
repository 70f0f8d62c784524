"""What a program may set when it serves, and what the routes are given to work with."""

from dataclasses import dataclass

from gglib.core.ports import ModelCatalogPort, ModelRuntimePort
from gglib.proxy.model_objects import ModelObjects
from gglib.proxy.upstream import UpstreamPool


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyOptions:
    """Limits of the proxy. Times in seconds, sizes in bytes."""

    max_body_bytes: int = 64 * 1024 * 1024
    heartbeat_s: float = 10.0
    """How often a stream that waits says so; some clients drop a socket that was silent for 20 s. 0 = never."""
    max_wait_s: float = 600.0
    """How long a request waits for its model: as long as the official client does."""
    connect_timeout_s: float = 5.0
    first_byte_s: float = 600.0
    """How long an engine may keep silent once it has the request, or while it does not read it: until the head of an
    answer, or, in an event stream, until the first event, because llama-server sends a stream's head and pings
    before it has begun to compute. An answer that is not streamed has no head before it is finished. 0 = for ever."""
    chunk_gap_s: float = 120.0
    """How long an answer that has begun may pause; comments do not count. The time in which a slow client keeps the
    proxy from reading does not count either. 0 = for ever."""
    shutdown_grace_s: float = 0.5
    """How long clients have to take what they are told at the end."""
    head_timeout_s: float = 10.0
    """How long a request's head may take, from its first byte; the first one's from the connection's beginning."""
    body_timeout_s: float = 30.0
    """How long a request's body may take before what came of it earns it more."""
    body_min_rate: int = 1000
    """Bytes a second that keep an upload alive: so many bytes of a body earn it one second more."""
    write_timeout_s: float = 60.0
    """How long a client may take nothing of an answer that waits for it."""
    idle_timeout_s: float = 75.0
    """How long a connection stays without a request; longer than clients keep theirs, so that the client closes it."""
    max_connections: int = 4096
    """Above it, the connection that is idle the longest is closed; where none is idle, the new one gets 503."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """All that a route needs besides the request."""

    runtime: ModelRuntimePort
    catalog: ModelCatalogPort
    pool: UpstreamPool
    model_objects: ModelObjects
    default_ctx: int
    options: ProxyOptions
