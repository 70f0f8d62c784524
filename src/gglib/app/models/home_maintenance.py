"""Runs the maintenance of a home when it is opened, so that the catalogue and the disk agree.

1. Detect whether the home was moved or copied, or shares its models (``library.homes.location``).
2. Migrate a home of an older gglib (``library.homes.migrate``).
3. Find versions that the catalogue does not know (``library.versions.reconcile``).
4. Finish complete pulls, and delete retired versions.

If none of the first three steps is due, this costs a few ``stat`` calls and reads of the catalogue. A step that fails
(a full disk, for example) is logged in one sentence and retried at the next open. Later steps do not depend on it,
except on the first: while the location cannot be recorded, nothing is changed.
"""

import asyncio
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from shlex import quote

from gglib.app.models.pulls import recover_pulls
from gglib.app.settings import Settings
from gglib.core.errors import GglibError
from gglib.core.hub.shown_source import pull_target
from gglib.core.models import ModelSummary
from gglib.core.plain_text import escape_line
from gglib.core.shell_quoting import in_quotes, quoted_command
from gglib.db import SqliteCatalog
from gglib.gguf import read_model
from gglib.hf.download import older_manifests
from gglib.library.homes.identity import HomeMark, HomeState
from gglib.library.homes.legacy_pulls import PartManifests
from gglib.library.homes.legacy_records import LegacyFileRecord
from gglib.library.homes.location import (
    MARK_NAME,
    Home,
    HomeInspection,
    apply_inspection,
    find_unchanged,
    has_files_of,
    inspect_home,
    write_mark,
)
from gglib.library.homes.migrate import HomeMigration, has_legacy_records
from gglib.library.starter import SMOLLM2, STARTER
from gglib.library.versions.deleting import collect_retired
from gglib.library.versions.incoming import Incoming
from gglib.library.versions.locks import HomeLocks
from gglib.library.versions.reconcile import fingerprint, reconcile, without_files
from gglib.system.threads import run_to_completion

LOCK = "home"
"""Lock that is held during the maintenance."""
LOCK_TIMEOUT_S = 30.0
"""Maximum wait for another gglib's maintenance, which may hash the files of an older gglib."""
MAX_NAMED = 3
_RELOCATED = frozenset((HomeState.MOVED, HomeState.COPIED, HomeState.NEW))
_NOT_OWNED = frozenset((HomeState.SHARED, HomeState.DETACHED))
"""States in which ``models/`` does not belong to this home."""

_log = logging.getLogger("gglib")


async def maintain_home(settings: Settings, catalog: SqliteCatalog) -> None:
    """Run the maintenance, unless this user cannot write to the home. Raises ``CatalogError`` for a bad database."""
    if not _is_writable(settings.home) or not os.access(settings.models_dir, os.R_OK | os.X_OK):
        return
    if await _HomeMaintenance(settings, catalog).run() and _is_writable(settings.models_dir):
        with _logged_failures(settings):
            await recover_pulls(settings, catalog)
            await collect_retired(catalog, settings.models_dir)


@dataclass(frozen=True, slots=True)
class _HomeMaintenance:
    """The maintenance of one home."""

    settings: Settings
    catalog: SqliteCatalog

    @property
    def home(self) -> Home:
        return Home(
            directory=self.settings.home,
            models_dir=self.settings.models_dir,
            database=self.settings.database,
        )

    async def run(self) -> bool:
        """Run the steps; return whether the catalogue has recorded the home's location."""
        recorded = await self.catalog.read_home()
        try:
            found = await asyncio.to_thread(find_unchanged, self.home, recorded)
            if found is not None and (found.state is HomeState.SHARED or await self._is_settled(found)):
                return True
            async with asyncio.timeout(LOCK_TIMEOUT_S) as limit, HomeLocks(self.settings.home).hold(LOCK):
                limit.reschedule(None)
                return await self._run_locked()
        except TimeoutError:
            reason = "another gglib is maintaining it"
        except (GglibError, OSError) as error:
            reason = str(error)
        self._freeze(reason)
        return False

    async def _run_locked(self) -> bool:
        """Run the due steps under the lock. Raises ``GglibError`` or OSError if the location cannot be recorded."""
        found = await self._detect()
        if not _is_writable(self.settings.models_dir):
            if found.state is HomeState.SHARED:
                await apply_inspection(self.home, found, self.catalog)
            return True
        if found.state is HomeState.NEW:
            await self._migration().run()
        identity = await apply_inspection(self.home, found, self.catalog)
        if found.state is HomeState.SHARED:
            self._warn_of_foreign_models_dir(found)
        if found.state in _NOT_OWNED:
            return found.state is HomeState.SHARED
        with _logged_failures(self.settings):
            if found.state is not HomeState.NEW and has_legacy_records(self.settings.models_dir):
                await self._migration().run()
            await reconcile(self.catalog, self.settings.models_dir, trusts_content=found.state in _RELOCATED)
            await self._warn_of_missing_files()
            seen = await self._fingerprint()
            with suppress(OSError):  # a full disk: the next open searches again
                await run_to_completion(write_mark, self.home, identity.id, seen)
        return True

    async def _detect(self) -> HomeInspection:
        recorded = await self.catalog.read_home()
        found = await asyncio.to_thread(find_unchanged, self.home, recorded)
        if found is None:
            files = [path for model in await self.catalog.list_models() for path in model.all_files]
            found = await asyncio.to_thread(inspect_home, self.home, recorded, files)
        if found.state is HomeState.DETACHED and await asyncio.to_thread(
            has_files_of, await self.catalog.list_versions()
        ):
            return replace(found, state=HomeState.UNMARKED)
        return found

    async def _is_settled(self, found: HomeInspection) -> bool:
        if found.mark is None or await asyncio.to_thread(self._needs_migration, found.mark):
            return False
        return found.mark.seen == await self._fingerprint()

    def _needs_migration(self, mark: HomeMark) -> bool:
        """Whether there are records of an older gglib, or the home was renamed."""
        is_there = mark.path in {str(self.settings.home), os.path.realpath(self.settings.home)}
        return not is_there or has_legacy_records(self.settings.models_dir)

    async def _fingerprint(self) -> str:
        versions = await self.catalog.list_versions()
        incoming = Incoming(self.settings.models_dir).directory
        return await asyncio.to_thread(fingerprint, versions, self.settings.models_dir, incoming)

    def _migration(self) -> HomeMigration:
        starter = LegacyFileRecord(
            name=PurePosixPath(SMOLLM2.file_name),
            size_bytes=SMOLLM2.file_size_bytes,
            modified_ns=None,
            sha256=SMOLLM2.file_sha256,
            source=SMOLLM2.source,
        )
        return HomeMigration(
            home=self.home,
            store=self.catalog,
            read_model=read_model,
            part_manifests=PartManifests(
                is_manifest=older_manifests.is_note,
                etag_in=older_manifests.etag_in,
                renewed=older_manifests.renewed,
            ),
            pinned=(starter,),
        )

    async def _warn_of_missing_files(self) -> None:
        gone = await asyncio.to_thread(without_files, await self.catalog.list_models())
        for model in gone[:MAX_NAMED]:
            _log.warning(
                "The files of '%s' are missing: %s restores them.",
                escape_line(model.name),
                _download_command(model),
            )
        if len(gone) > MAX_NAMED:
            _log.warning("%d more models have no files: 'gglib doctor' lists them.", len(gone) - MAX_NAMED)

    def _warn_of_foreign_models_dir(self, found: HomeInspection) -> None:
        mark = self.settings.models_dir / MARK_NAME
        owner = (
            str(found.owner) if found.owner is not None else found.mark.path if found.mark else "another one"
        )
        _log.warning(
            "%s belongs to the home %s, so this home does not change its files; if no other home uses it, "
            "%s assigns it to this home.",
            escape_line(str(self.settings.models_dir)),
            escape_line(owner),
            in_quotes(escape_line(f"rm {quote(str(mark))}")),
        )

    def _freeze(self, reason: str) -> None:
        home = escape_line(str(self.settings.home))
        _log.warning("Maintenance of the home %s was skipped: %s", home, escape_line(reason))
        self.catalog.set_read_only(f"Maintenance of the home {home} failed: {reason}")


def _is_writable(directory: Path) -> bool:
    return os.access(directory, os.R_OK | os.W_OK | os.X_OK)


@contextmanager
def _logged_failures(settings: Settings) -> Iterator[None]:
    """Log a failure in one sentence and continue: the next open retries."""
    try:
        yield
    except (GglibError, OSError) as error:
        _log.warning(
            "Maintenance of %s failed and is retried at the next start: %s",
            escape_line(str(settings.home)),
            escape_line(str(error)),
        )


def _download_command(model: ModelSummary) -> str:
    """Return the command that downloads the files of a model."""
    source = model.source
    if source.origin == STARTER:
        return f"{quoted_command('pull')} at a terminal, and 1 in its list,"
    names = [alias for alias in model.aliases if source.repo and alias.startswith(f"{source.repo}:")]
    target = names[0] if names else pull_target(model)
    return "'gglib pull' with its address" if target is None else quoted_command("pull", target)
