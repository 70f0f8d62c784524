"""Composes and runs a server: engine manager and proxy, in the foreground or in a thread."""

import asyncio
import logging
import secrets
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial

from gglib.app.catalog import open_catalog
from gglib.app.exposure import check_exposure
from gglib.app.instance import InstanceLock, lock_instance
from gglib.app.library import open_library
from gglib.app.memory import fit_slots
from gglib.app.memory_accounts import LocalMemoryAccounts, open_accounts
from gglib.app.memory_policy import memory_policy, memory_warnings
from gglib.app.preload import preloading
from gglib.app.reload import Reloader, reloaded_on_changes
from gglib.app.request_limits import allowed_engine_fields, schema_limits
from gglib.app.settings import Settings, prepare_home
from gglib.app.settings.access_keys import LOCAL_KEY_NAME
from gglib.app.settings.name_checks import name_warnings
from gglib.app.settings.source import SettingsSource
from gglib.app.supervisor import OLLAMA_BUSY_ADVICE, ProxyConfig, ProxySupervisor
from gglib.core.addresses import Endpoint
from gglib.core.api_keys import ApiKey
from gglib.core.authorities import is_plain_loopback, read_host
from gglib.core.errors import InvalidSettingError
from gglib.core.memory import DeviceBytes
from gglib.core.ports import ModelLibraryPort
from gglib.db import SqliteCatalog
from gglib.gguf import read_model
from gglib.library.fresh_catalog import FreshCatalog
from gglib.library.last_used import LastUsedRecorder, recorded_periodically
from gglib.library.model_facts import ModelFacts
from gglib.library.periodic_collection import collected_periodically
from gglib.library.versions.deleting import collect_retired
from gglib.proxy import LiveOptions, ProxyOptions, SharedState, serve
from gglib.runtime import EngineManager, LaunchConfig, LocalLauncher, RuntimeConfig
from gglib.runtime.engines import Engine
from gglib.runtime.local.model_files import read_mark
from gglib.system import read_memory_state

logger = logging.getLogger("gglib")

JOIN_TIMEOUT_S = 20.0
"""Longer than the slowest stop; a private server that hangs must not block the terminal."""
MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class OpenHome:
    """A locked home and its open catalogue."""

    lock: InstanceLock
    """The lock that prevents a second server."""
    catalog: SqliteCatalog
    """Open while the home is locked."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running proxy with its engines and library."""

    url: str
    """The URL for clients on this machine, without a trailing slash."""
    supervisor: ProxySupervisor
    """Runs the proxy: ``wait`` returns when it ends, and raises if it crashed."""
    manager: EngineManager
    """Runs the engines."""
    library: ModelLibraryPort
    """Adds, pulls and removes models of the same catalogue, as clients do over HTTP."""
    local_key: str | None = field(default=None, repr=False)
    """The key for gglib's own commands; None if no key is required."""
    ollama: ProxySupervisor | None = None
    """Runs the proxy on the second port, for clients of Ollama; None without that port."""

    @property
    def ollama_url(self) -> str | None:
        """The URL on the second port; None without it."""
        return None if self.ollama is None else self.ollama.status().url

    async def wait(self) -> None:
        """Wait until a proxy has ended. Raises ``GglibError`` if it crashed."""
        supervisors = [self.supervisor] if self.ollama is None else [self.supervisor, self.ollama]
        waits = [asyncio.create_task(supervisor.wait()) for supervisor in supervisors]
        try:
            done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
        for ended in done:
            ended.result()

    @property
    def endpoint(self) -> Endpoint:
        """The URL and key for requests."""
        return Endpoint(self.url, self.local_key)


@asynccontextmanager
async def open_home(settings: Settings) -> AsyncIterator[OpenHome]:
    """Lock ``settings.home`` for one server for the duration of the block, and open its catalogue.

    Creates the home if it does not exist, and runs its maintenance (``app.home_maintenance``). Raises
    ``AlreadyRunningError`` with the address of the other server, and ``CatalogError`` if the home or its catalogue
    cannot be used.
    """
    prepare_home(settings)
    with lock_instance(settings.run_dir) as instance_lock:
        async with open_catalog(settings) as catalog:
            yield OpenHome(instance_lock, catalog)


@asynccontextmanager
async def running_server(  # noqa: PLR0913 - what a command line adds is optional
    settings: Settings,
    home: OpenHome,
    engine: Engine,
    *,
    on_drain: Callable[[int], None] | None = None,
    on_warning: Callable[[str], None] | None = None,
    source: SettingsSource | None = None,
) -> AsyncIterator[Server]:
    """Serve for the duration of the block; then drain responses in flight, and stop the proxy and all engines.

    The server listens on ``settings.host`` and ``port`` when the block begins. ``home`` is from ``open_home``,
    ``engine`` from ``find_engine``. The drain takes at most ``settings.drain_s`` seconds: ``on_drain`` is called with
    the number of responses in flight when it begins, and with 0 when it ends; a cancellation ends it. ``on_warning`` is
    called with a sentence for each setting that names an unknown model or device or cannot be applied on this machine,
    and for each model that cannot be loaded at the start; the log has the same. With a ``source``, changed settings are
    applied without a restart (``app.reload``). Installs no signal handlers and configures no logging.

    Raises ``InvalidSettingError`` if the address is not available, or if the server would be reachable from other
    machines without a key while ``insecure`` is not set (``app.exposure``).
    """
    check_server_exposure(settings)
    facts = ModelFacts(home.catalog, read_model, read_mark)
    accounts = await open_accounts(engine, home.catalog, slots=settings.slots, memory=settings.memory)
    live = _LiveParts(settings, home, engine, facts, accounts)
    async with (
        open_library(settings, home.catalog, lambda: live.settings) as library,
        collected_periodically(
            partial(collect_retired, home.catalog, settings.models_dir)
        ) as request_collection,
        EngineManager(
            home.catalog,
            live.launcher,
            replace(_runtime_config(settings, accounts.budget), on_engine_exit=request_collection),
            accounts,
        ) as manager,
        recorded_periodically(LastUsedRecorder(manager.take_used_model_ids, home.catalog, time.time)),
    ):
        reloader = None if source is None else live.reloader(source, manager)
        reload = None if reloader is None else reloader.reload
        serve_all = partial(
            serve, library=library, profiles=home.catalog, reload=reload, shared=SharedState()
        )
        supervisor = ProxySupervisor(partial(serve_all, options=live.options))
        ollama = ProxySupervisor(partial(serve_all, options=live.ollama_options))
        try:
            shown = FreshCatalog(home.catalog, facts.refresh, time.monotonic)
            live.url = await supervisor.start(_proxy_config(settings), manager, shown)
            if settings.ollama_port is not None:
                await ollama.start(_ollama_config(settings, settings.ollama_port), manager, shown)
            live.publish()
            warn = partial(_warn, on_warning)
            for warning in await live.warnings(settings):
                warn(warning)
            async with AsyncExitStack() as stack:
                if reloader is not None and source is not None:
                    await stack.enter_async_context(reloaded_on_changes(reloader, source))
                await stack.enter_async_context(preloading(settings, home.catalog, manager, warn))
                second = None if settings.ollama_port is None else ollama
                yield Server(live.url, supervisor, manager, library, live.published_key, second)
        finally:
            await _drain(manager, on_drain or (lambda _: None))
            await asyncio.gather(supervisor.stop(), ollama.stop())


class _LiveParts:
    """The parts of a running server that a reload changes, and the settings that they were made from."""

    def __init__(
        self,
        settings: Settings,
        home: OpenHome,
        engine: Engine,
        facts: ModelFacts,
        accounts: LocalMemoryAccounts,
    ) -> None:
        self.settings = settings
        self.url = ""
        """Set when the server listens."""
        self._home = home
        self._engine = engine
        self._accounts = accounts
        self._local_key = secrets.token_urlsafe(32)
        options = _proxy_options(settings, self._local_key)
        self.options = LiveOptions(options)
        self.ollama_options = LiveOptions(replace(options, has_page=False))
        """Those of the second port."""
        launch = _launch_config(settings, engine, home.catalog, accounts)
        self.launcher = LocalLauncher(launch, preflight=facts.check)

    @property
    def published_key(self) -> str | None:
        """The key for gglib's own commands; None if no key is required."""
        return self._local_key if self.settings.api_keys else None

    def publish(self) -> None:
        """Write the URL and the key for gglib's own commands."""
        self._home.lock.publish(self.url, key=self.published_key)

    async def warnings(self, settings: Settings) -> tuple[str, ...]:
        """Return a sentence for each of the ``settings`` that names an unknown model or device, or cannot be applied.

        Raises ``CatalogError``.
        """
        catalog = self._home.catalog
        models, profiles = await catalog.list_models(), await catalog.list_profiles()
        return (*name_warnings(settings, models, profiles), *memory_warnings(settings, self._accounts.budget))

    def reloader(self, source: SettingsSource, manager: EngineManager) -> Reloader:
        """Return the reloader of these parts and of ``manager``."""
        return Reloader(
            self.settings,
            source,
            apply=partial(self._apply, manager),
            check_names=self.warnings,
            replace_changed=manager.replace_changed,
        )

    async def _apply(self, manager: EngineManager, settings: Settings) -> None:
        """Apply other settings. Raises ``InvalidSettingError``, and changes nothing, if they cannot be applied."""
        check_server_exposure(settings)
        options = _proxy_options(settings, self._local_key)
        before, self.settings = self.settings, settings
        try:
            self.publish()  # the key first: gglib's own commands read it before each request
        except OSError as error:
            self.settings = before
            raise InvalidSettingError(
                f"{settings.run_dir} cannot be written ({error.strerror or error}): free disk space."
            ) from error
        self.options.replace(options, default_ctx=settings.default_ctx)
        self.ollama_options.replace(replace(options, has_page=False), default_ctx=settings.default_ctx)
        self._accounts.reconfigure(slots=settings.slots, memory=settings.memory)
        self.launcher.reconfigure(_launch_config(settings, self._engine, self._home.catalog, self._accounts))
        await manager.reconfigure(_runtime_config(settings, self._accounts.budget))


def check_server_exposure(settings: Settings) -> None:
    """Raise ``InvalidSettingError`` for a server that other machines reach without a key, unless ``insecure``."""
    check_exposure(settings.host, has_keys=bool(settings.api_keys), is_insecure=settings.insecure)


def _warn(on_warning: Callable[[str], None] | None, warning: str) -> None:
    logger.warning("%s", warning)
    if on_warning is not None:
        on_warning(warning)


async def _drain(manager: EngineManager, on_drain: Callable[[int], None]) -> None:
    on_drain(manager.in_flight)
    with suppress(asyncio.CancelledError):
        await manager.drain()
    on_drain(0)


@contextmanager
def private_server(settings: Settings, engine: Engine) -> Iterator[Endpoint]:
    """Serve on a free port from a thread of this process for the duration of the block, and yield the endpoint.

    The thread has its own event loop, so that the caller remains a blocking program that Ctrl-C interrupts. The engine
    exits when the thread ends, for any reason.
    """
    private = replace(settings, host="127.0.0.1", port=0, ollama_port=None, preload=())
    ready: Future[tuple[Endpoint, asyncio.AbstractEventLoop, asyncio.Event]] = Future()
    thread = threading.Thread(
        target=_serve_in_thread, args=(private, engine, ready), name="private-server", daemon=True
    )
    thread.start()
    endpoint, loop, stop = ready.result()
    try:
        yield endpoint
    finally:
        with suppress(RuntimeError):  # the server has ended, and its loop is closed
            loop.call_soon_threadsafe(stop.set)
        thread.join(JOIN_TIMEOUT_S)


def _serve_in_thread(
    settings: Settings,
    engine: Engine,
    ready: "Future[tuple[Endpoint, asyncio.AbstractEventLoop, asyncio.Event]]",
) -> None:
    async def main() -> None:
        stop = asyncio.Event()
        async with open_home(settings) as home, running_server(settings, home, engine) as server:
            ready.set_result((server.endpoint, asyncio.get_running_loop(), stop))
            ends = [asyncio.create_task(stop.wait()), asyncio.create_task(server.supervisor.wait())]
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            for end in ends:
                end.cancel()
            await asyncio.gather(*ends, return_exceptions=True)

    try:
        asyncio.run(main())
    except BaseException as error:
        if ready.done():
            logger.exception("the private server ended with an error")
        else:
            ready.set_exception(error)


def _proxy_options(settings: Settings, local_key: str | None = None) -> ProxyOptions:
    """Return the options; with access keys, ``local_key`` is accepted too."""
    own = {} if local_key is None or not settings.api_keys else {LOCAL_KEY_NAME: ApiKey.admin(local_key)}
    return ProxyOptions(
        max_body_bytes=settings.max_body_mb * MIB,
        max_bodies_bytes=settings.max_bodies_mb * MIB,
        heartbeat_s=settings.heartbeat_s,
        model_wait_s=settings.model_wait_s,
        first_byte_s=settings.first_byte_s,
        chunk_gap_s=settings.chunk_gap_s,
        stalled_client_s=settings.stalled_client_s,
        api_keys={**settings.api_keys, **own},
        allowed_hosts=settings.allowed_hosts + _listen_name(settings.host),
        cors_origins=settings.cors_origins,
        default_model=settings.default_model,
        aliases=dict(settings.aliases),
        allowed_engine_fields=allowed_engine_fields(settings),
        max_connections=settings.max_connections,
        schema_limits=schema_limits(settings),
    )


def _listen_name(host: str) -> tuple[str, ...]:
    """Return the configured host as an allowed host name; loopback names are always allowed."""
    try:
        name = read_host(host)
    except ValueError:
        return ()
    return () if is_plain_loopback(name) else (name,)


def _proxy_config(settings: Settings) -> ProxyConfig:
    return ProxyConfig(host=settings.host, port=settings.port, default_ctx=settings.default_ctx)


def _ollama_config(settings: Settings, port: int) -> ProxyConfig:
    return replace(_proxy_config(settings), port=port, busy_advice=OLLAMA_BUSY_ADVICE)


def _launch_config(
    settings: Settings, engine: Engine, catalog: SqliteCatalog, accounts: LocalMemoryAccounts
) -> LaunchConfig:
    # Under a budget, a launch is sized by it. Otherwise a model has the free memory of the machine for itself.
    policy = memory_policy(settings, accounts.budget)
    return LaunchConfig(
        read_gpus=accounts.read_gpus,
        engine=engine,
        engines_dir=settings.run_dir.absolute() / "engines",
        log_dir=settings.log_dir,
        slots=settings.slots,
        fit_slots=accounts.fit_slots if policy.limits_memory else fit_slots(engine),
        prompt_cache=accounts.prompt_cache_mib if policy.limits_memory else None,
        concurrent_engines=policy.capacity,
        heartbeat_s=settings.heartbeat_s,
        memory_state=read_memory_state,
        resolve=catalog.resolve_for_launch,
    )


def _runtime_config(settings: Settings, budget: DeviceBytes) -> RuntimeConfig:
    policy = memory_policy(settings, budget)
    return RuntimeConfig(
        capacity=policy.capacity,
        limits_memory=policy.limits_memory,
        swap_wait_s=settings.swap_wait_s,
        model_wait_s=settings.model_wait_s,
        drain_s=settings.drain_s,
    )
