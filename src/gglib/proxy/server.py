"""The proxy on a socket: the server, and what answers behind it.

It installs no signal handlers, configures no logging and chooses no event loop: those are the caller's.
"""

import asyncio
import socket
from functools import partial

from gglib.core.ports import ModelCatalogPort, ModelLibraryPort, ModelRuntimePort
from gglib.http.client.pool import UpstreamPool
from gglib.http.server.deadlines import DeadlineLimits
from gglib.http.server.listener import Listener
from gglib.proxy.access.cors import CorsRules
from gglib.proxy.access.hosts import HostRules
from gglib.proxy.access.keys import AccessKeys
from gglib.proxy.access.policy import AccessPolicy
from gglib.proxy.app import ProxyApp
from gglib.proxy.embedding import as_runtime, check_arguments
from gglib.proxy.json_scan import compile_expressions
from gglib.proxy.models import ModelObjects
from gglib.proxy.options import ProxyOptions, Services
from gglib.proxy.refusal import refusal
from gglib.proxy.request import ProxyRequest
from gglib.proxy.routes.table import route_of
from gglib.proxy.telemetry.recorder import RequestRecorder


async def serve(  # noqa: PLR0913 - the port that programs embed
    listener: socket.socket,
    default_ctx: int,
    runtime_port: ModelRuntimePort,
    catalog_port: ModelCatalogPort,
    cancel: asyncio.Event,
    *,
    options: ProxyOptions = ProxyOptions(),  # noqa: B008 - frozen
    library: ModelLibraryPort | None = None,
) -> None:
    """Serve on ``listener``, which is bound already and is closed at the end, until ``cancel`` is set.

    ``listener`` is a stream socket, TCP or unix. ``default_ctx`` is the context, in tokens, of a request that asks for
    none. A ``runtime_port`` with the three abstract methods of ``ModelRuntimePort`` is enough, whether it inherits from
    the port or not, and so is a ``catalog_port`` with the three of ``ModelCatalogPort``. Without a ``library`` models
    are only read and run: what would add, remove, find or pull them answers 501.

    Returns within a second after ``cancel``, whatever clients do (``ProxyOptions.shutdown_grace_s``): open streams end
    with an error event, requests that wait get 503. It stops no model: that is the runtime's. Raises TypeError or
    ValueError at once for a wrong argument; whatever else keeps it from serving is raised as it is.
    """
    try:
        check_arguments(listener, default_ctx, runtime_port, catalog_port, cancel)
    except (TypeError, ValueError):
        if isinstance(listener, socket.socket):
            listener.close()
        raise
    pool = UpstreamPool(connect_timeout_s=options.connect_timeout_s)
    services = Services(
        runtime=as_runtime(runtime_port),
        catalog=catalog_port,
        pool=pool,
        model_objects=ModelObjects(default_ctx),
        recorder=RequestRecorder(route_of),
        default_ctx=default_ctx,
        options=options,
        library=library,
    )
    app = ProxyApp(services, _policy(listener, options))
    server = Listener(
        app.handle,
        request_class=ProxyRequest,
        format_refusal=refusal,
        limits=_limits(options),
        max_connections=options.max_connections,
        max_body_bytes=options.max_body_bytes,
        max_bodies_bytes=options.max_bodies_bytes,
        on_stop=app.stop,
        on_refusal=app.record_refusal,
        is_blocking_others=partial(_is_wanted, services.runtime),
    )
    services.recorder.connection_count = lambda: server.connection_count
    asyncio.get_running_loop().run_in_executor(
        None, compile_expressions
    )  # beside the first requests, if they are that quick
    try:
        await server.serve(listener, cancel, grace_s=options.shutdown_grace_s)
    finally:
        listener.close()
        await pool.close()
        services.recorder.flush()


def _policy(listener: socket.socket, options: ProxyOptions) -> AccessPolicy:
    name = listener.getsockname()
    bound = frozenset((name[0],)) if isinstance(name, tuple) else frozenset[str]()
    return AccessPolicy(
        hosts=HostRules(bound, frozenset(options.allowed_hosts)),
        cors=CorsRules(options.cors_origins),
        keys=AccessKeys(options.api_keys),
    )


def _is_wanted(runtime: ModelRuntimePort, request: ProxyRequest) -> bool:
    """Whether requests for another model wait for the end of this one."""
    return request.running is not None and runtime.is_blocking_swap(request.running)


def _limits(options: ProxyOptions) -> DeadlineLimits:
    return DeadlineLimits(
        head_s=options.head_timeout_s,
        body_s=options.body_timeout_s,
        body_min_rate=options.body_min_rate,
        write_s=options.write_timeout_s,
        idle_s=options.idle_timeout_s,
        blocking_write_s=options.stalled_client_s,
    )
