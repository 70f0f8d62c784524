"""What a program may set when it serves, and what the routes are given to work with."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from gglib.core.defaults import (
    CHUNK_GAP_S,
    FIRST_BYTE_S,
    HEARTBEAT_S,
    MAX_CONNECTIONS,
    MODEL_WAIT_S,
    STALLED_CLIENT_S,
)
from gglib.core.ports import ModelCatalogPort, ModelLibraryPort, ModelRuntimePort
from gglib.http.client.pool import UpstreamPool
from gglib.proxy.guards.engine_fields import SchemaLimits
from gglib.proxy.guards.poison_requests import PoisonRequests
from gglib.proxy.models import ModelObjects
from gglib.proxy.target_locks import TargetLocks
from gglib.proxy.telemetry.recorder import RequestRecorder


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyOptions:
    """Limits of the proxy, and who may use it. Times in seconds, sizes in bytes.

    ``docs/http-server.md`` explains the limits on request size and speed, ``docs/api.md`` access control.
    """

    max_body_bytes: int = 64 * 1024 * 1024
    """The largest body of a request; beyond it 413."""
    max_bodies_bytes: int = 512 * 1024 * 1024
    """What the bodies of all requests may have together, beyond the first 64 KiB of each, until their requests are
    answered. Beyond it one upload at a time goes on, by the size of one body at most, and the others wait, for
    ``body_timeout_s``."""
    heartbeat_s: float = HEARTBEAT_S
    """How often a stream that waits says so; some clients drop a socket that was silent for 20 s. 0 = never."""
    model_wait_s: float = MODEL_WAIT_S
    """How long a request waits for its model at most, in the queue and while it loads."""
    connect_timeout_s: float = 5.0
    """How long a connection to a target may take."""
    first_byte_s: float = FIRST_BYTE_S
    """How long an engine may keep silent once it has the request, or while it does not read it: until the head of an
    answer, or, in an event stream, until the first event, because llama-server sends a stream's head and pings
    before it has begun to compute. An answer that is not streamed has no head before it is finished. 0 = for ever."""
    chunk_gap_s: float = CHUNK_GAP_S
    """How long an answer that has begun may pause; comments do not count. The time in which a slow client keeps the
    proxy from reading does not count either. 0 = for ever."""
    head_timeout_s: float = 10.0
    """How long a client may take for the head of a request. 0 = for ever, here and below."""
    body_timeout_s: float = 30.0
    """How long it may take for the body, besides a second for each ``body_min_rate`` bytes that have come: a slow but
    living upload goes on, a drip does not."""
    body_min_rate: int = 1000
    """In bytes per second."""
    write_timeout_s: float = 60.0
    """How long a client that is being answered may take nothing of what is there for it."""
    stalled_client_s: float = STALLED_CLIENT_S
    """The same while its answer keeps another model from its turn, unless it was seen to read, if slowly
    (``http.server.deadlines``). 0 = as ever."""
    idle_timeout_s: float = 75.0
    """How long a connection without a request stays; longer than clients keep theirs, so that they close it."""
    max_connections: int = MAX_CONNECTIONS
    """Above it the connection that was idle the longest is closed, and where none is idle the new one is refused."""
    shutdown_grace_s: float = 0.5
    """How long clients have to take what they are told at the end."""
    api_keys: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The keys that are accepted, by name (``access.keys``); without any, every request is let in."""
    allowed_hosts: tuple[str, ...] = ()
    """Names that clients may call the server by, beside its address and loopback (``access.hosts``)."""
    cors_origins: tuple[str, ...] = ()
    """Origins of web pages that may use the server, beside loopback ones (``access.cors``)."""
    allowed_engine_fields: frozenset[str] = frozenset()
    """Fields that control the engine, and reach it all the same: names of ``GUARDED_FIELDS``."""
    schema_limits: SchemaLimits = field(default_factory=SchemaLimits)
    """What the schemas and tools of a request may be and cost the engine (``guards.schema_cost``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """All that a route needs besides the request."""

    runtime: ModelRuntimePort
    catalog: ModelCatalogPort
    pool: UpstreamPool
    target_locks: TargetLocks = field(default_factory=TargetLocks)
    """The exchanges with each target."""
    model_objects: ModelObjects
    recorder: RequestRecorder
    default_ctx: int
    options: ProxyOptions
    poison_requests: PoisonRequests = field(default_factory=PoisonRequests)
    library: ModelLibraryPort | None = None
    """None: models are only read and run."""
    slow_parsing: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held by what keeps the loop for a millisecond or more, and until others have had it again."""
