"""``serve``: runs the proxy on a socket.

The module installs no signal handlers, configures no logging and chooses no event loop; the caller does.
"""

import asyncio
import contextlib
import secrets
import socket
from dataclasses import dataclass, field
from functools import partial

from gglib.core.log_lines import TEXT
from gglib.core.ports import ModelCatalogPort, ModelLibraryPort, ModelRuntimePort
from gglib.core.ports.history import RequestHistoryPort
from gglib.core.ports.machine import MachinePorts
from gglib.core.ports.profiles import ProfileStorePort
from gglib.core.ports.reload import ReloadFunction
from gglib.http.client.pool import UpstreamPool
from gglib.http.server.deadlines import DeadlineLimits
from gglib.http.server.handover import Handover
from gglib.http.server.http_server import HttpServer
from gglib.proxy.access.cors import CorsRules
from gglib.proxy.access.hosts import HostRules
from gglib.proxy.access.keys import AccessKeys
from gglib.proxy.access.policy import AccessPolicy
from gglib.proxy.app import ProxyApp
from gglib.proxy.cluster.services import ClusterPorts
from gglib.proxy.cluster.watch import break_off_lost
from gglib.proxy.guards.poison_requests import PoisonRequests
from gglib.proxy.json_scan import compile_expressions
from gglib.proxy.limits.limiter import RateLimiter
from gglib.proxy.limits.restoring import UseRestoration
from gglib.proxy.models import ModelObjects
from gglib.proxy.names.aliases import AliasLists
from gglib.proxy.options import LiveHistory, LiveOptions, ProxyOptions, Services
from gglib.proxy.readiness import Readiness
from gglib.proxy.refusal import format_refusal
from gglib.proxy.relay.target_locks import TargetLocks
from gglib.proxy.request import HttpsRequest, ProxyRequest
from gglib.proxy.routes.table import route_of
from gglib.proxy.serve_arguments import as_runtime, check_arguments, checked_history
from gglib.proxy.telemetry.open_requests import OpenRequests
from gglib.proxy.telemetry.recorder import RequestRecorder


@dataclass(frozen=True, slots=True)
class SharedState:
    """What several calls of ``serve`` with the same runtime have in common: counts, rules, and whether it is ready."""

    recorder: RequestRecorder = field(default_factory=lambda: RequestRecorder(route_of))
    target_locks: TargetLocks = field(default_factory=TargetLocks)
    poison_requests: PoisonRequests = field(default_factory=PoisonRequests)
    open_requests: OpenRequests = field(default_factory=lambda: OpenRequests(route_of))
    readiness: Readiness = field(default_factory=Readiness)
    """What ``GET /ready`` shows: ready, unless the program says otherwise."""
    limiter: RateLimiter = field(default_factory=RateLimiter)
    """What the keys with limits use; the calls need the same keys."""
    use_restoration: UseRestoration = field(default_factory=UseRestoration)
    instance: str = field(default_factory=partial(secrets.token_hex, 8))
    """Random id of this run, in ``GET /gglib/status``."""


def new_recorder(log_format: str = TEXT) -> RequestRecorder:
    """Return a recorder for ``SharedState`` whose access log has this format (``core.log_lines``)."""
    return RequestRecorder(route_of, log_format)


async def serve(  # noqa: PLR0913 - the public entry point
    listener: socket.socket,
    default_ctx: int,
    runtime_port: ModelRuntimePort,
    catalog_port: ModelCatalogPort,
    cancel: asyncio.Event,
    *,
    options: ProxyOptions | LiveOptions = ProxyOptions(),  # noqa: B008 - frozen
    library: ModelLibraryPort | None = None,
    profiles: ProfileStorePort | None = None,
    reload: ReloadFunction | None = None,
    history: RequestHistoryPort | LiveHistory | None = None,
    machine: MachinePorts | None = None,
    cluster: ClusterPorts | None = None,
    shared: SharedState | None = None,
    handover: Handover | None = None,
) -> None:
    """Serve on ``listener`` until ``cancel`` is set, then close it.

    ``listener`` is a bound stream socket, TCP or unix. ``default_ctx`` is the context size in tokens, used when neither
    the request nor the model sets one. ``runtime_port`` needs the three abstract methods of ``ModelRuntimePort`` and
    ``catalog_port`` the three of ``ModelCatalogPort``; inheritance is optional. Without a ``library`` the routes that
    add, remove, search or pull models send 501. Without ``profiles`` no name is resolved as ``model:profile``.
    Finished requests are stored in ``history``; without it none are. ``LiveOptions`` and ``LiveHistory`` can be
    replaced while serving. ``POST /gglib/reload`` calls ``reload``; without it, it sends 501.
    ``machine`` shows logs, system, settings and clients below ``/gglib``; without it these routes send 501.
    With a ``cluster``, the runtime may return targets on nodes: requests there are sent again elsewhere if the node is
    lost before the response begins.
    The history also restores what keys with limits used in the last minute.
    Calls on several listeners with the same runtime pass one ``shared``, so that ``/metrics`` counts the requests of
    all and ``/gglib/requests`` lists them; they pass the same ``history``.
    ``handover`` ends accepting before ``cancel``, for a listener that another process holds and serves next.

    Returns within a second after ``cancel``, whatever clients do (``ProxyOptions.shutdown_grace_s``): open streams end
    with an error event, waiting requests get 503. Does not stop models: that is up to the runtime. Raises
    TypeError or ValueError immediately for a wrong argument; errors that prevent serving propagate unchanged.
    """
    try:
        check_arguments(listener, default_ctx, runtime_port, catalog_port, cancel)
        live_history = history if isinstance(history, LiveHistory) else LiveHistory(checked_history(history))
    except (TypeError, ValueError):
        if isinstance(listener, socket.socket):
            listener.close()
        raise
    live = options if isinstance(options, LiveOptions) else LiveOptions(options)
    options = live.current
    default_ctx = live.default_ctx or default_ctx
    pool = UpstreamPool(connect_timeout_s=options.connect_timeout_s)
    shared = shared or SharedState()
    services = Services(
        runtime=as_runtime(runtime_port),
        catalog=catalog_port,
        pool=pool,
        model_objects=ModelObjects(default_ctx),
        recorder=shared.recorder,
        target_locks=shared.target_locks,
        poison_requests=shared.poison_requests,
        readiness=shared.readiness,
        instance=shared.instance,
        limiter=shared.limiter,
        default_ctx=default_ctx,
        options=options,
        library=library,
        aliases=AliasLists(options.aliases),
        profiles=profiles,
        reload=reload,
        machine=machine,
        cluster=cluster,
        live_history=live_history,
        open_requests=shared.open_requests,
    )
    services.limiter.set_keys(options.api_keys)
    app = ProxyApp(services, _access_policy(listener, options))
    http_server = HttpServer(
        app.handle,
        request_class=ProxyRequest if options.tls is None else HttpsRequest,
        format_refusal=format_refusal,
        limits=_deadline_limits(options),
        max_connections=options.max_connections,
        max_body_bytes=options.max_body_bytes,
        max_bodies_bytes=options.max_bodies_bytes,
        on_stop=app.stop,
        on_refusal=app.record_refusal,
        is_blocking_others=partial(_is_blocking_swap, services.runtime),
        tls=options.tls,
    )
    # In threads: the first requests need not wait for them.
    asyncio.get_running_loop().run_in_executor(None, compile_expressions)
    if options.has_page:
        services.page_reader.start()
    try:
        await shared.use_restoration.run(services.limiter, live_history.current)
        with (
            shared.recorder.counting(lambda: http_server.connection_count),
            shared.recorder.storing(
                lambda: live_history.current, services.runtime.swap_of, services.runtime.note_cached
            ),
            live.attached(partial(_apply, live, listener, services, app, http_server)),
            contextlib.nullcontext() if cluster is None else shared.recorder.measuring(cluster.response_note),
            contextlib.nullcontext() if handover is None else handover.attached(http_server),
        ):
            if cluster is not None:
                services.background.start(break_off_lost(cluster.nodes, pool))
            await http_server.serve(listener, cancel, grace_s=options.shutdown_grace_s)
    finally:
        listener.close()
        app.close()
        await services.background.close()
        await pool.close()
        services.recorder.flush()


def _apply(
    live: LiveOptions, listener: socket.socket, services: Services, app: ProxyApp, http_server: HttpServer
) -> None:
    """Replace the options of a running server. Raises ValueError, and changes nothing, for an empty API key."""
    options = live.current
    policy = _access_policy(listener, options)
    services.limiter.set_keys(options.api_keys)
    app.replace_policy(policy)
    services.options = options
    app.apply_recording()
    services.aliases = AliasLists(options.aliases)
    if live.default_ctx is not None and live.default_ctx != services.default_ctx:
        services.default_ctx = live.default_ctx
        services.model_objects = ModelObjects(live.default_ctx)
    http_server.reconfigure(
        limits=_deadline_limits(options),
        max_connections=options.max_connections,
        max_body_bytes=options.max_body_bytes,
        max_bodies_bytes=options.max_bodies_bytes,
        tls=options.tls,
    )


def _access_policy(listener: socket.socket, options: ProxyOptions) -> AccessPolicy:
    address = listener.getsockname()
    is_tcp = isinstance(address, tuple)  # the address of a unix socket is its path
    bound = frozenset((address[0],)) if is_tcp else frozenset[str]()
    return AccessPolicy(
        hosts=HostRules(bound, frozenset(options.allowed_hosts)),
        cors=CorsRules(options.cors_origins),
        keys=AccessKeys(options.api_keys),
    )


def _is_blocking_swap(runtime: ModelRuntimePort, request: ProxyRequest) -> bool:
    """Whether requests for another model wait for this request to end."""
    return request.running_target is not None and runtime.is_blocking_swap(request.running_target)


def _deadline_limits(options: ProxyOptions) -> DeadlineLimits:
    return DeadlineLimits(
        head_s=options.head_timeout_s,
        body_s=options.body_timeout_s,
        body_min_rate=options.body_min_rate,
        write_s=options.write_timeout_s,
        idle_s=options.idle_timeout_s,
        blocking_write_s=options.stalled_client_s,
    )
