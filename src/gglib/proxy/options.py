"""The options of ``serve``, and the services that handlers use."""

import asyncio
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from gglib.core.api_keys import ApiKey
from gglib.core.defaults import (
    CHUNK_GAP_S,
    FIRST_BYTE_S,
    HEARTBEAT_S,
    MAX_CONNECTIONS,
    MODEL_WAIT_S,
    STALLED_CLIENT_S,
)
from gglib.core.history.recording import NO_RECORDING, RecordingRule
from gglib.core.ports import ModelCatalogPort, ModelLibraryPort, ModelRuntimePort
from gglib.core.ports.history import RequestHistoryPort
from gglib.core.ports.machine import MachinePorts
from gglib.core.ports.profiles import ProfileStorePort
from gglib.core.ports.reload import ReloadFunction
from gglib.http.client.pool import UpstreamPool
from gglib.http.tasks import BackgroundTasks
from gglib.proxy.cluster.services import ClusterPorts
from gglib.proxy.guards.engine_fields import SchemaLimits
from gglib.proxy.guards.poison_requests import PoisonRequests
from gglib.proxy.limits.limiter import RateLimiter
from gglib.proxy.models import ModelObjects
from gglib.proxy.names.aliases import AliasLists
from gglib.proxy.profiles.guards import FieldLimits
from gglib.proxy.readiness import Readiness
from gglib.proxy.relay.target_locks import TargetLocks
from gglib.proxy.slots.slot_tables import SlotTables
from gglib.proxy.telemetry.open_requests import OpenRequests
from gglib.proxy.telemetry.recorder import RequestRecorder
from gglib.proxy.web.reading import PageReader


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyOptions:
    """Limits, timeouts and access rules of the proxy. Times in seconds, sizes in bytes.

    ``docs/http-server.md`` explains the limits on clients, ``docs/api.md`` explains access.
    """

    max_body_bytes: int = 64 * 1024 * 1024
    """Maximum size of a request body; larger ones get 413."""
    max_bodies_bytes: int = 512 * 1024 * 1024
    """Memory budget of all request bodies together, without the first 64 KiB of each, until their responses end.
    Beyond it only one upload at a time continues, so the excess is at most one body; the others wait up to
    ``body_timeout_s``."""
    heartbeat_s: float = HEARTBEAT_S
    """Interval of SSE comments on a waiting stream; some clients disconnect after 20 s without data. 0 = never."""
    model_wait_s: float = MODEL_WAIT_S
    """Maximum wait of a request for its model, in the queue and during the load."""
    connect_timeout_s: float = 5.0
    """Timeout for connecting to a target."""
    first_byte_s: float = FIRST_BYTE_S
    """Timeout for the start of an engine's response: until its head or, in an event stream, until the first event,
    because llama-server sends the head and pings of a stream before it computes. Also applies while the engine does
    not read the request. Without streaming, engines send the head when the response is complete. 0 = no timeout."""
    chunk_gap_s: float = CHUNK_GAP_S
    """Maximum gap between parts of a response. Comments do not reset it; time in which a slow client blocks the
    relay does not count. 0 = no timeout."""
    head_timeout_s: float = 10.0
    """Timeout for the head of a request. 0 = no timeout, here and below."""
    body_timeout_s: float = 30.0
    """Timeout for the request body, extended by a second for each ``body_min_rate`` bytes received, so that slow
    uploads continue and trickling ones do not."""
    body_min_rate: int = 1000
    """Bytes per second."""
    write_timeout_s: float = 60.0
    """Timeout for a client that does not read its response."""
    stalled_client_s: float = STALLED_CLIENT_S
    """The same timeout while the response delays a swap to another model, unless the client reads slowly
    (``http.server.deadlines``). 0 = ``write_timeout_s``."""
    idle_timeout_s: float = 75.0
    """Keep-alive timeout; longer than that of common clients, so that the client closes the connection first."""
    max_connections: int = MAX_CONNECTIONS
    """Maximum number of client connections. Beyond it the longest idle one is closed; if none is idle, the new one
    is refused."""
    shutdown_grace_s: float = 0.5
    """How long clients may read the final error at shutdown."""
    api_keys: Mapping[str, ApiKey | str] = field(default_factory=dict, repr=False)
    """Accepted API keys, by name (``access.keys``); a ``str`` is an admin key. Without keys every request is
    accepted."""
    allowed_hosts: tuple[str, ...] = ()
    """Allowed ``Host`` names, in addition to the server's address and loopback names (``access.hosts``)."""
    cors_origins: tuple[str, ...] = ()
    """Allowed origins of web pages, in addition to loopback origins (``access.cors``)."""
    default_model: str | None = None
    """The model of requests that name none. Without it the only model of the kind that the path needs, else the most
    recently used one in memory."""
    aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Models by alias, a name or a pattern with ``*``: the first that can run serves a request for the alias. Names of
    the catalogue take precedence. Without an alias that matches, ``core.defaults.IN_MEMORY_ALIAS`` applies."""
    allowed_engine_fields: frozenset[str] = frozenset()
    """Names from ``GUARDED_FIELDS`` that are forwarded instead of refused."""
    schema_limits: SchemaLimits = field(default_factory=SchemaLimits)
    """Limits on the size and sampling cost of schemas and tools (``guards.schema_cost``)."""
    record_bodies: RecordingRule = NO_RECORDING
    """The requests whose bodies are in ``RequestRecord.bodies``, as they are: ``core.history.redaction`` prepares them
    for storage."""
    has_page: bool = True
    """Whether ``/`` is the web page, for browsers. False: every client gets "Ollama is running"."""
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    """The context of HTTPS (``http.server.tls_context.server_context``); None: HTTP. Another context applies to new
    connections. Whether there is one cannot change while serving."""

    @property
    def field_limits(self) -> FieldLimits:
        """The limits on the fields of a request, for profiles."""
        return FieldLimits(self.allowed_engine_fields, self.schema_limits)


class LiveOptions:
    """The options of ``serve``, which can be replaced while it serves. Use it in the loop of ``serve`` only.

    One object is for one call of ``serve`` at a time.
    """

    def __init__(self, options: ProxyOptions) -> None:
        self.current = options
        """The options in use."""
        self.default_ctx: int | None = None
        """The default context in tokens; None: the argument of ``serve``."""
        self._apply: Callable[[], None] | None = None

    def replace(self, options: ProxyOptions, *, default_ctx: int | None = None) -> None:
        """Use other options for later requests, also on open connections; requests in progress keep theirs.

        Requests end whose key is gone, and event streams of the admin API whose request would be refused now.

        ``default_ctx`` replaces the argument of ``serve``. ``connect_timeout_s`` and ``shutdown_grace_s`` of a running
        ``serve`` do not change. Raises ValueError, and changes nothing, for an empty API key.
        """
        before = self.current, self.default_ctx
        self.current, self.default_ctx = options, default_ctx or self.default_ctx
        try:
            if self._apply is not None:
                self._apply()
        except ValueError:
            self.current, self.default_ctx = before
            raise

    @contextmanager
    def attached(self, apply: Callable[[], None]) -> Iterator[None]:
        """Call ``apply`` after each replacement during the block."""
        self._apply = apply
        try:
            yield
        finally:
            self._apply = None


class LiveHistory:
    """The request history of ``serve``, which can be replaced while it serves. Use it in the loop of ``serve`` only."""

    def __init__(self, history: RequestHistoryPort | None = None) -> None:
        self.current = history
        """None: requests are not stored."""


@dataclass(slots=True, kw_only=True)
class Services:
    """Everything that a handler uses besides the request.

    Treat it as immutable: only ``serve`` replaces the options and what depends on them.
    """

    runtime: ModelRuntimePort
    catalog: ModelCatalogPort
    """The models that the request may use: ``access.visible_catalog`` for a key with some models."""
    pool: UpstreamPool
    target_locks: TargetLocks = field(default_factory=TargetLocks)
    """One shared/exclusive lock per target."""
    slot_tables: SlotTables = field(default_factory=SlotTables)
    """What is in the slots of the engines that gglib launched."""
    model_objects: ModelObjects
    recorder: RequestRecorder
    default_ctx: int
    options: ProxyOptions
    aliases: AliasLists = field(default_factory=lambda: AliasLists({}))
    """Those of the options."""
    poison_requests: PoisonRequests = field(default_factory=PoisonRequests)
    library: ModelLibraryPort | None = None
    """None: models cannot be added, removed, searched or pulled."""
    profiles: ProfileStorePort | None = None
    """None: there are no profiles."""
    reload: ReloadFunction | None = None
    """None: the settings cannot be reloaded over HTTP."""
    machine: MachinePorts | None = None
    """None: logs, system, settings and clients are not shown over HTTP."""
    cluster: ClusterPorts | None = None
    """None: there are no nodes."""
    live_history: LiveHistory = field(default_factory=LiveHistory)
    open_requests: OpenRequests = field(default_factory=lambda: OpenRequests(lambda path, _: path))
    readiness: Readiness = field(default_factory=Readiness)
    instance: str = ""
    """Random id of this run of the server: a front recognizes itself by it, and a node that was restarted."""
    limiter: RateLimiter = field(default_factory=RateLimiter)
    """What the keys with limits use."""
    background: BackgroundTasks = field(default_factory=BackgroundTasks)
    """Loads and unloads that continue after the response to the request that started them."""
    page_reader: PageReader = field(default_factory=PageReader)
    large_body_lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while a large body is checked, which blocks the event loop for a millisecond or more, and for one
    iteration of the loop afterwards, in which other requests run."""

    @property
    def history(self) -> RequestHistoryPort | None:
        """The request history; None: requests are not stored."""
        return self.live_history.current
