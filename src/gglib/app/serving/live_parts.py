"""The parts of a running server that a reload changes."""

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial

from gglib.app.certificates.facts import CertificateFacts, client_url, expiry_warning, pinned_endpoint
from gglib.app.certificates.loading import ServerCertificate, load_certificate, load_server_certificate
from gglib.app.memory.accounts import LocalMemoryAccounts
from gglib.app.memory.policy import memory_warnings
from gglib.app.serving.configurations import launch_config, proxy_options, runtime_config
from gglib.app.serving.exposure import check_exposure
from gglib.app.serving.history import ServerHistory
from gglib.app.serving.open_home import OpenHome
from gglib.app.serving.recording import own_keys, recording_warnings
from gglib.app.serving.reload import Reloader
from gglib.app.settings import Settings
from gglib.app.settings.name_checks import name_warnings
from gglib.app.settings.source import SettingsSource
from gglib.core.addresses import Endpoint
from gglib.core.errors import InvalidSettingError
from gglib.core.history.redaction import BodyRedactor
from gglib.core.ports.reload import SettingChange
from gglib.library.model_facts import ModelFacts
from gglib.proxy import LiveOptions, ProxyOptions
from gglib.proxy.telemetry.recorder import flush_pending
from gglib.runtime import EngineManager, LocalLauncher
from gglib.runtime.engines import Engine

logger = logging.getLogger("gglib")

ApplySettings = Callable[[Settings], Awaitable[None]]
"""Applies other settings to a part of the server."""


class LiveParts:
    """The parts of a running server that a reload changes, and the settings that they were made from."""

    def __init__(  # noqa: PLR0913 - the parts
        self,
        settings: Settings,
        home: OpenHome,
        engine: Engine,
        facts: ModelFacts,
        accounts: LocalMemoryAccounts,
        *,
        certificate: ServerCertificate | None = None,
        passed_hosts: tuple[str, ...] = (),
        around_reload: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        """``passed_hosts`` are the addresses of sockets that another process opened for this server."""
        self.settings = settings
        self._passed_hosts = passed_hosts
        self._around_reload = around_reload
        self.certificate = certificate
        """The certificate of new connections; None: HTTP."""
        self.local_url = ""
        """The address on this machine. Set when the server listens."""
        self._home = home
        self._engine = engine
        self._accounts = accounts
        self._local_key = secrets.token_urlsafe(32)
        self.redactor = BodyRedactor((*own_keys(settings), self._local_key))
        """Prepares recorded bodies for storage."""
        self.history = ServerHistory(self.redactor.redact)
        """Replaced by that of the server."""
        self.followers: list[ApplySettings] = []
        """Called with the settings after each reload."""
        options = self._proxy_options(settings)
        self.options = LiveOptions(options)
        self._further_options: list[LiveOptions] = []
        launch = launch_config(settings, engine, home.catalog, accounts)
        self.launcher = LocalLauncher(launch, preflight=facts.check)

    def add_options(self, *, has_page: bool) -> LiveOptions:
        """Return options for one more listener, such as the second port, which has no page."""
        added = LiveOptions(replace(self.options.current, has_page=has_page))
        self._further_options.append(added)
        return added

    @property
    def url(self) -> str:
        """The URL for clients on this machine."""
        return self.client_url(self.local_url)

    @property
    def endpoint(self) -> Endpoint:
        """The URL and the key for gglib's own commands."""
        return pinned_endpoint(self.url, self.published_key, self.local_url, self.facts)

    @property
    def facts(self) -> CertificateFacts | None:
        """The certificate; None: HTTP."""
        return None if self.certificate is None else self.certificate.facts

    def client_url(self, local_url: str) -> str:
        """Return the URL for clients on this machine, by an address of the server."""
        return client_url(local_url, None if self.facts is None else self.facts.names)

    @property
    def published_key(self) -> str | None:
        """The key for gglib's own commands; None if no key is required."""
        return self._local_key if self.settings.api_keys else None

    def publish(self) -> None:
        """Write the URL and the key for gglib's own commands."""
        own = self.endpoint
        self._home.lock.publish(own.url, key=own.key, pinned=own.pinned)

    async def warnings(self, settings: Settings) -> tuple[str, ...]:
        """Return a sentence for each of the ``settings`` that names an unknown model or device, or cannot be applied.

        Raises ``CatalogError``.
        """
        catalog = self._home.catalog
        models, profiles = await catalog.list_models(), await catalog.list_profiles()
        return (
            *name_warnings(settings, models, profiles),
            *memory_warnings(settings, self._accounts.budget),
            *recording_warnings(settings),
            *filter(None, (self.expiry_warning(),)),
        )

    def expiry_warning(self) -> str | None:
        """Return a sentence if the certificate expires soon; None otherwise."""
        return None if self.facts is None else expiry_warning(self.facts, time.time())

    def reloader(self, source: SettingsSource, manager: EngineManager) -> Reloader:
        """Return the reloader of these parts and of ``manager``."""
        return Reloader(
            self.settings,
            source,
            apply=partial(self._apply, manager),
            check_names=self.warnings,
            replace_changed=manager.replace_changed,
            reload_certificate=self._reload_certificate,
            around=self._around_reload,
        )

    async def _reload_certificate(self) -> SettingChange | None:
        """Use the certificate that its files have now for new connections; None: it is the same.

        Raises ``InvalidSettingError``, and keeps the certificate, if they cannot be used.
        """
        files, before = self.settings.certificate_files, self.certificate
        if files is None or before is None:
            return None
        certificate = await asyncio.to_thread(load_certificate, files, time.time())
        self.certificate = certificate
        try:
            self._publish_or_raise()  # first: gglib's own commands accept this certificate alone
        except InvalidSettingError:
            self.certificate = before
            raise
        self._replace_options(self.settings)
        if certificate.facts == before.facts:
            return None  # the chain may be another one
        return SettingChange(
            setting="tls_cert", old=before.facts.text, new=certificate.facts.text, is_applied=True
        )

    async def _apply(self, manager: EngineManager, settings: Settings) -> None:
        """Apply other settings. Raises ``InvalidSettingError``, and changes nothing, if they cannot be applied."""
        check_server_exposure(settings, self._passed_hosts)
        self.redactor.add_keys(own_keys(settings))
        before, self.settings = self.settings, settings
        try:
            self._publish_or_raise()  # the key first: gglib's own commands read it before each request
        except InvalidSettingError:
            self.settings = before
            raise
        self._replace_options(settings)
        if settings.log_level != before.log_level:
            flush_pending()  # finished requests have the level of their time
            logger.setLevel(settings.log_level.upper())
        self._accounts.reconfigure(slots=settings.slots, memory=settings.memory)
        self.launcher.reconfigure(launch_config(settings, self._engine, self._home.catalog, self._accounts))
        await manager.reconfigure(runtime_config(settings, self._accounts.budget))
        await self.history.apply(settings)
        for follow in self.followers:
            await follow(settings)

    def _proxy_options(self, settings: Settings) -> ProxyOptions:
        return proxy_options(settings, self._local_key, self.certificate)

    def _replace_options(self, settings: Settings) -> None:
        options = self._proxy_options(settings)
        self.options.replace(options, default_ctx=settings.default_ctx)
        for further in self._further_options:
            further.replace(
                replace(options, has_page=further.current.has_page), default_ctx=settings.default_ctx
            )

    def _publish_or_raise(self) -> None:
        try:
            self.publish()
        except OSError as error:
            raise InvalidSettingError(
                f"{self.settings.run_dir} cannot be written ({error.strerror or error}): free disk space."
            ) from error


def check_server_certificate(settings: Settings) -> None:
    """Raise ``InvalidSettingError`` if the files of HTTPS cannot be used. Blocks for milliseconds."""
    load_server_certificate(settings.certificate_files, time.time())


def check_server_exposure(settings: Settings, passed_hosts: Iterable[str] = ()) -> None:
    """Raise ``InvalidSettingError`` for a server that other machines reach without a key, unless ``insecure``.

    ``passed_hosts`` are the addresses of sockets that another process opened for it.
    """
    for host in (settings.host, *passed_hosts):
        check_exposure(host, has_keys=bool(settings.api_keys), is_insecure=settings.insecure)
