"""The parts of a running server that a reload changes."""

import logging
import secrets
from dataclasses import replace
from functools import partial

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
from gglib.core.errors import InvalidSettingError
from gglib.core.history.redaction import BodyRedactor
from gglib.library.model_facts import ModelFacts
from gglib.proxy import LiveOptions
from gglib.proxy.telemetry.recorder import flush_pending
from gglib.runtime import EngineManager, LocalLauncher
from gglib.runtime.engines import Engine

logger = logging.getLogger("gglib")


class LiveParts:
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
        self.redactor = BodyRedactor((*own_keys(settings), self._local_key))
        """Prepares recorded bodies for storage."""
        self.history = ServerHistory(self.redactor.redact)
        """Replaced by that of the server."""
        options = proxy_options(settings, self._local_key)
        self.options = LiveOptions(options)
        self.ollama_options = LiveOptions(replace(options, has_page=False))
        """Those of the second port."""
        launch = launch_config(settings, engine, home.catalog, accounts)
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
        return (
            *name_warnings(settings, models, profiles),
            *memory_warnings(settings, self._accounts.budget),
            *recording_warnings(settings),
        )

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
        self.redactor.add_keys(own_keys(settings))
        options = proxy_options(settings, self._local_key)
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
        if settings.log_level != before.log_level:
            flush_pending()  # finished requests have the level of their time
            logger.setLevel(settings.log_level.upper())
        self._accounts.reconfigure(slots=settings.slots, memory=settings.memory)
        self.launcher.reconfigure(launch_config(settings, self._engine, self._home.catalog, self._accounts))
        await manager.reconfigure(runtime_config(settings, self._accounts.budget))
        await self.history.apply(settings)


def check_server_exposure(settings: Settings) -> None:
    """Raise ``InvalidSettingError`` for a server that other machines reach without a key, unless ``insecure``."""
    check_exposure(settings.host, has_keys=bool(settings.api_keys), is_insecure=settings.insecure)
