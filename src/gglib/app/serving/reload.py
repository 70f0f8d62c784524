"""Reloads the settings and the catalogue of a running server: on request, and when one of its files changes.

The files are ``config.toml`` and those of the certificate.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager, aclosing, asynccontextmanager, nullcontext

from gglib.app.settings import Settings
from gglib.app.settings.changes import applicable, changes_between
from gglib.app.settings.source import SettingsSource
from gglib.core.errors import CatalogError, GglibError, InvalidSettingError, ShuttingDownError
from gglib.core.ports.reload import ReloadResult, SettingChange

logger = logging.getLogger("gglib.reload")


async def _no_certificate() -> None:
    """Reload nothing: HTTP has no certificate."""


class Reloader:
    """Loads the settings again and applies the changes. One reload runs at a time."""

    def __init__(  # noqa: PLR0913 - what a reload changes
        self,
        settings: Settings,
        source: SettingsSource,
        *,
        apply: Callable[[Settings], Awaitable[None]],
        check_names: Callable[[Settings], Awaitable[tuple[str, ...]]],
        replace_changed: Callable[[], Awaitable[tuple[str, ...]]],
        reload_certificate: Callable[[], Awaitable[SettingChange | None]] = _no_certificate,
        around: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        """Reload from ``source``; ``settings`` are those in use.

        ``apply`` applies others, or raises ``InvalidSettingError`` and changes nothing. ``check_names`` returns
        a warning for each name in settings that is no model's. ``replace_changed`` compares the loaded models with the
        catalogue, and returns the names of those that are unloaded. ``reload_certificate`` loads the files of the
        certificate again, and raises ``InvalidSettingError`` if the server keeps the one that it has. ``around`` is
        entered for the duration of each reload.
        """
        self._settings = settings
        self._source = source
        self._apply = apply
        self._check_names = check_names
        self._replace_changed = replace_changed
        self._reload_certificate = reload_certificate
        self._around = around
        self._lock = asyncio.Lock()
        self._running: set[asyncio.Task[ReloadResult]] = set()
        self._is_closing = False

    async def reload(self, *, may_drop_keys: bool = True) -> ReloadResult:
        """Reload, and return what changed. Raises ``InvalidSettingError``, and changes nothing, for invalid settings.

        A setting that needs a restart is reported at each reload until the restart. Without ``may_drop_keys`` settings
        without access keys are refused if there are some now: the file may have been emptied by accident.

        A reload that has begun completes, even if the caller is cancelled: half of it would leave the settings
        applied and the loaded models unchecked. If the catalogue fails after settings were applied, the result has a
        warning; otherwise ``CatalogError`` is raised. A certificate that cannot be used does not prevent the other
        changes: a removed key is refused whatever its state. It is a warning if there are others, else raised. Raises
        ``ShuttingDownError`` after ``close``.
        """
        if self._is_closing:
            raise ShuttingDownError
        task = asyncio.create_task(self._reload(may_drop_keys=may_drop_keys), name="reload")
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(_log_failure)
            raise

    async def close(self) -> None:
        """Refuse further reloads, and wait for those in progress. Their failures are raised by ``reload`` only."""
        self._is_closing = True
        while self._running:
            await asyncio.wait(self._running)

    async def _reload(self, *, may_drop_keys: bool) -> ReloadResult:
        async with self._lock:
            with self._around():
                return await self._reload_locked(may_drop_keys=may_drop_keys)

    async def _reload_locked(self, *, may_drop_keys: bool) -> ReloadResult:
        loaded = await asyncio.to_thread(self._source.load)
        changes = changes_between(self._settings, loaded)
        settings = applicable(self._settings, loaded)
        if self._settings.api_keys and not settings.api_keys and not may_drop_keys:
            raise InvalidSettingError(
                "config.toml has no access keys any more, so it was not applied: run 'gglib reload' to serve "
                "without keys."
            )
        has_applied = any(change.is_applied for change in changes)
        if has_applied:
            await self._apply(settings)
            self._settings = settings
        renewed, problem = await self._certificate_change()
        changes += renewed
        if changes:
            logger.info("reloaded the settings: %s", "; ".join(map(describe, changes)))
        try:
            replaced, warnings = await self._replace_changed(), await self._check_names(settings)
        except CatalogError as error:
            if not has_applied and not renewed:
                raise
            replaced = ()
            warnings = (f"The settings are applied, but the loaded models could not be checked: {error}",)
        if problem and not (changes or replaced):
            raise InvalidSettingError(problem[0])
        return ReloadResult(
            changes=changes, replaced_models=replaced, warnings=(*problem, *loaded.warnings, *warnings)
        )

    async def _certificate_change(self) -> tuple[tuple[SettingChange, ...], tuple[str, ...]]:
        """Load the certificate again; return the change and the problem, each in a tuple of one or none."""
        try:
            change = await self._reload_certificate()
        except InvalidSettingError as error:
            return (), (f"{str(error).rstrip('.')}; the server keeps the certificate that it has.",)
        return () if change is None else (change,), ()


def _log_failure(task: asyncio.Task[ReloadResult]) -> None:
    """Log the error of a reload whose caller was cancelled."""
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.warning("the reload failed: %s", error)


def describe(change: SettingChange) -> str:
    """Return a change as a phrase, for the log."""
    values = "changed" if change.old is None else f"{change.old or 'none'} -> {change.new or 'none'}"
    return f"{change.setting} {values}" + ("" if change.is_applied else " (needs a restart)")


@asynccontextmanager
async def reloaded_on_changes(reloader: Reloader, source: SettingsSource) -> AsyncIterator[None]:
    """During the block, reload when a file of ``source`` changes and when ``source`` requests it. Failures are logged.

    At its end, closes the reloader.
    """
    tasks = (
        asyncio.create_task(_reload_on_request(reloader, source), name="reload-on-request"),
        asyncio.create_task(_reload_on_config_change(reloader, source), name="config-watch"),
    )
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await reloader.close()


async def _reload_on_request(reloader: Reloader, source: SettingsSource) -> None:
    while True:
        await source.reload_requested.wait()
        source.reload_requested.clear()
        await _reload_or_log(reloader, source)


async def _reload_on_config_change(reloader: Reloader, source: SettingsSource) -> None:
    async with aclosing(source.config_changes()) as changes:
        async for _ in changes:
            await _reload_or_log(reloader, source, may_drop_keys=False)


async def _reload_or_log(reloader: Reloader, source: SettingsSource, *, may_drop_keys: bool = True) -> None:
    try:
        result = await reloader.reload(may_drop_keys=may_drop_keys)
    except GglibError as error:
        logger.warning("the settings were not reloaded: %s", error)
        source.report(f"The settings were not reloaded: {error}")
    except Exception:
        logger.exception("the settings were not reloaded")
    else:
        if result.changes:
            source.report(f"Reloaded the settings: {'; '.join(map(describe, result.changes))}.")
        for warning in result.warnings:
            logger.warning("%s", warning)
            source.report(f"Warning: {warning}")
