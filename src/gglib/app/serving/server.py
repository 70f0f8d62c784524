"""Composes and runs a server: engine manager and proxy."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial

from gglib.app.certificates.expiry import warned_of_expiry
from gglib.app.certificates.facts import CertificateFacts, pinned_endpoint
from gglib.app.certificates.loading import load_server_certificate
from gglib.app.cluster.rejoining import rejoined_when_lost
from gglib.app.memory.accounts import open_accounts
from gglib.app.models.library import open_library
from gglib.app.monitoring.machine import open_machine_ports
from gglib.app.serving.configurations import runtime_config
from gglib.app.serving.front import Front
from gglib.app.serving.history import open_history
from gglib.app.serving.listeners import Listeners
from gglib.app.serving.live_parts import LiveParts, check_server_exposure
from gglib.app.serving.open_home import OpenHome
from gglib.app.serving.preload import preloading
from gglib.app.serving.proxies import Proxies
from gglib.app.serving.reload import reloaded_on_changes
from gglib.app.serving.service_notices import ServiceNotices
from gglib.app.serving.supervisor import ProxySupervisor
from gglib.app.settings import Settings
from gglib.app.settings.source import SettingsSource
from gglib.core.addresses import Endpoint
from gglib.core.ports import ModelLibraryPort
from gglib.gguf import read_model
from gglib.http.tasks import run_until_first_ends
from gglib.library.fresh_catalog import FreshCatalog
from gglib.library.last_used import LastUsedRecorder, recorded_periodically
from gglib.library.model_facts import ModelFacts
from gglib.library.periodic_collection import collected_periodically
from gglib.library.versions.deleting import collect_retired
from gglib.proxy import Readiness, ReadyState, SharedState, serve
from gglib.proxy.server import new_recorder
from gglib.runtime import EngineManager, LocalLauncher
from gglib.runtime.engines import Engine
from gglib.runtime.local.model_files import read_mark

logger = logging.getLogger("gglib")


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
    others: tuple[ProxySupervisor, ...] = ()
    """Run the proxies of further listeners: of the second port, for clients of Ollama, and of passed sockets."""
    ollama_url: str | None = None
    """The URL on the second port; None without it."""
    other_urls: tuple[str, ...] = ()
    """Further addresses of passed sockets; of unix sockets ``unix:PATH``."""
    local_url: str = ""
    """The address on this machine; over HTTPS ``url`` has a name of the certificate."""
    certificate: CertificateFacts | None = None
    """The certificate at the start; None: HTTP."""

    async def wait(self) -> None:
        """Wait until a proxy has ended. Raises ``GglibError`` if it crashed."""
        supervisors = (self.supervisor, *self.others)
        for ended in await run_until_first_ends(*(supervisor.wait() for supervisor in supervisors)):
            ended.result()

    @property
    def endpoint(self) -> Endpoint:
        """The URL and key for requests."""
        return pinned_endpoint(self.url, self.local_key, self.local_url, self.certificate)


@asynccontextmanager
async def running_server(  # noqa: PLR0913 - what a command line adds is optional
    settings: Settings,
    home: OpenHome,
    engine: Engine,
    *,
    on_drain: Callable[[int], None] | None = None,
    on_warning: Callable[[str], None] | None = None,
    source: SettingsSource | None = None,
    listeners: Listeners = Listeners(),  # noqa: B008 - frozen
    notices: ServiceNotices | None = None,
) -> AsyncIterator[Server]:
    """Serve for the duration of the block; then drain responses in flight, and stop the proxy and all engines.

    The server listens on ``settings.host`` and ``port`` when the block begins. ``home`` is from ``open_home``,
    ``engine`` from ``find_engine``. The drain takes at most ``settings.drain_s`` seconds: ``on_drain`` is called with
    the number of responses in flight when it begins, and with 0 when it ends; a cancellation ends it. ``on_warning`` is
    called with a sentence for each setting that names an unknown model or device or cannot be applied on this machine,
    and for each model that cannot be loaded at the start; the log has the same. With a ``source``, changed settings are
    applied without a restart (``app.serving.reload``). ``listeners`` are served instead of an address that would be
    bound, ``settings`` are then those of ``Listeners.applied_to``; when the block ends, they accept no more, and new
    connections wait for the next process. ``notices`` go to the service manager. Installs no signal
    handlers and configures no logging.

    Raises ``InvalidSettingError`` if the address is not available, if the server would be reachable from other
    machines without a key while ``insecure`` is not set (``app.serving.exposure``), or if the certificate of HTTPS
    cannot be used.
    """
    check_server_exposure(settings, listeners.hosts)
    notices = notices or ServiceNotices()
    certificate = await asyncio.to_thread(load_server_certificate, settings.certificate_files, time.time())
    facts = ModelFacts(home.catalog, read_model, read_mark)
    accounts = await open_accounts(engine, home.catalog, slots=settings.slots, memory=settings.memory)
    live = LiveParts(
        settings,
        home,
        engine,
        facts,
        accounts,
        certificate=certificate,
        passed_hosts=listeners.hosts,
        around_reload=notices.reloading,
    )
    async with (
        _closing_at_end(live.launcher),
        open_library(settings, home.catalog, lambda: live.settings) as library,
        collected_periodically(
            partial(collect_retired, home.catalog, settings.models_dir)
        ) as request_collection,
        EngineManager(
            home.catalog,
            live.launcher,
            replace(runtime_config(settings, accounts.budget), on_engine_exit=request_collection),
            accounts,
        ) as manager,
        recorded_periodically(LastUsedRecorder(manager.take_used_model_ids, home.catalog, time.time)),
        open_history(settings, live.redactor.redact) as history,
        open_machine_ports(lambda: live.settings, lambda: live.url, engine, home.catalog) as machine,
    ):
        live.history = history
        reloader = None if source is None else live.reloader(source, manager)
        reload = None if reloader is None else reloader.reload
        readiness = Readiness(ReadyState.STARTING)
        shared = SharedState(recorder=new_recorder(settings.log_format), readiness=readiness)
        shown = FreshCatalog(home.catalog, facts.refresh, time.monotonic)
        front = Front(settings, manager, shown, accounts, instance=shared.instance)
        live.followers.append(front.apply)
        serve_all = partial(
            serve,
            library=library,
            profiles=home.catalog,
            reload=reload,
            history=history.live,
            machine=machine,
            cluster=front.ports,
            shared=shared,
        )
        proxies = Proxies(
            lambda options, handover: partial(serve_all, options=options, handover=handover), live, listeners
        )
        watching = AsyncExitStack()
        try:
            await watching.enter_async_context(front.running(settings))
            await watching.enter_async_context(rejoined_when_lost(settings.home))
            addresses = await proxies.start(settings, front.runtime, front.catalog)
            live.local_url = addresses.local_url
            live.publish()
            warn = partial(_warn, on_warning)
            for warning in await live.warnings(settings):
                warn(warning)
            async with AsyncExitStack() as stack:
                if reloader is not None and source is not None:
                    await stack.enter_async_context(reloaded_on_changes(reloader, source))
                started = partial(_finish_start, readiness, notices, live.url)
                await stack.enter_async_context(preloading(settings, home.catalog, manager, warn, started))
                if certificate is not None:
                    await stack.enter_async_context(warned_of_expiry(live.expiry_warning, warn))
                ollama_url = addresses.ollama_url
                notices.report_ready(f"Listening on {live.url}, loading the models of preload")
                yield Server(
                    live.url,
                    proxies.main,
                    manager,
                    library,
                    live.published_key,
                    tuple(proxies.others),
                    None if ollama_url is None else live.client_url(ollama_url),
                    addresses.others,
                    live.local_url,
                    live.facts,
                )
        finally:
            readiness.begin_drain()  # before the drain, in which the server still accepts connections
            responses = manager.in_flight + front.requests_elsewhere
            drain_s = live.settings.drain_s
            notices.report_stop(responses, drain_s)
            (on_drain or _ignore)(responses)
            await _drain(proxies, manager, front, drain_s)
            (on_drain or _ignore)(0)
            await proxies.stop()
            await watching.aclose()


@asynccontextmanager
async def _closing_at_end(launcher: LocalLauncher) -> AsyncIterator[None]:
    """Close the launcher after the block, when all engines have exited."""
    try:
        yield
    finally:
        await launcher.close()


def _warn(on_warning: Callable[[str], None] | None, warning: str) -> None:
    logger.warning("%s", warning)
    if on_warning is not None:
        on_warning(warning)


def _ignore(responses: int) -> None:
    """Report nothing."""


def _finish_start(readiness: Readiness, notices: ServiceNotices, url: str) -> None:
    readiness.finish_start()
    notices.report_status(f"Serving at {url}")


async def _drain(proxies: Proxies, manager: EngineManager, front: Front, drain_s: float) -> None:
    """Return after the responses in flight, those of clients that have just connected among them; a cancel ends it."""
    with suppress(asyncio.CancelledError):
        await proxies.hand_over()
        await asyncio.gather(manager.drain(), front.drain(drain_s))
