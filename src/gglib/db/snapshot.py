"""The catalogue as of its last change, kept in memory. Knows nothing of writing.

The proxy looks up a model for every request, so a read checks for changes and is served from memory if there is none.
Only a change is read from the file: off the event loop, because 500 models take about 15 ms, and once for all waiting
callers. If only the times of use changed, which a server writes once a minute, only these are read.
"""

import asyncio
import sqlite3
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from gglib.core.kinds import launch_spec
from gglib.core.models import NO_FILE, ModelLaunchSpec, ModelSummary
from gglib.core.names import find_model
from gglib.core.profiles import Profile, ProfiledModel, find_profiled
from gglib.db.connections import reading
from gglib.db.home_paths import HomePaths, StoredPath
from gglib.db.profile_rows import load_profiles
from gglib.db.rows import load_models, load_models_revision, load_uses
from gglib.db.sqlite_errors import is_busy
from gglib.db.version_rows import load_lock_paths
from gglib.db.wal_repair import repair
from gglib.db.watcher import ChangeWatcher, Revision

FRESH_S = 0.02
"""How long a check is valid. A check is about ten system calls, a tenth of the cost of a short request. Shorter than
the runtime of a command that adds a model: a request after the command finds the model."""
MAX_UNKNOWN, MAX_UNKNOWN_CHARACTERS = 256, 256


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Every model and profile, as of a revision of the catalogue or later."""

    revision: Revision
    models_revision: int
    """Of the models alone, without their uses; see ``rows.load_models_revision``."""
    models: tuple[ModelSummary, ...]
    by_name: Mapping[str, ModelSummary]
    home: HomePaths
    holds: Mapping[int, StoredPath]
    """What to lock while the files of a version are in use, by the version's id; few are ever requested."""
    profiles: tuple[Profile, ...] = ()
    specs: dict[str, ModelLaunchSpec] = field(default_factory=dict)
    """Launch specs computed so far, by the model's own name."""
    profiled: dict[str, ProfiledModel] = field(default_factory=dict)
    """Resolved ``model:profile`` names so far, by the canonical name: no more entries than models times profiles."""
    unknown: set[str] = field(default_factory=set)
    """Names that mean no model, a bounded number: a front resolves the names of its nodes' models here first, and
    a miss compares all names."""

    def find(self, name: str) -> ModelSummary | None:
        """Return the model that ``name`` means; the index is a shortcut for the first rule of ``find_model``."""
        return self.by_name.get(name) or find_model(name, self.models)

    def spec(self, name: str) -> ModelLaunchSpec | None:
        """Return what an engine needs to load the model that ``name`` means; computed once."""
        known = self.specs.get(name)
        if known is not None:
            return known
        if name in self.unknown or name in self.profiled:
            return None
        model = self.find(name)
        if model is None:
            if len(self.unknown) < MAX_UNKNOWN and len(name) <= MAX_UNKNOWN_CHARACTERS:
                self.unknown.add(name)
            return None
        hold = None if model.version_id is None else self.holds.get(model.version_id)
        spec = launch_spec(
            model, model.paths[0] if model.paths else NO_FILE, hold_path=self.home.optional_path(hold)
        )
        self.specs[model.name] = spec
        return spec

    def find_profiled(self, name: str) -> ProfiledModel | None:
        """Return the model and profile that ``name`` means, which no model has as its name."""
        known = self.profiled.get(name)
        if known is not None:
            return known
        found = find_profiled(name, self.models, self.profiles)
        if found is not None and found.name == name and self.find(name) is None:
            self.profiled[name] = found
        return found

    def with_uses(self, revision: Revision, used_at: Mapping[int, int]) -> "Snapshot":
        """Return the same models at a later revision with these times of use; unchanged values are shared."""
        models = tuple(
            model
            if model.last_used_at == used_at.get(model.id)
            else replace(model, last_used_at=used_at.get(model.id))
            for model in self.models
        )
        return replace(self, revision=revision, models=models, by_name=_index(models), profiled={})


class SnapshotCache:
    """Owns the latest snapshot and the watcher that invalidates it."""

    def __init__(self, path: Path, home: HomePaths) -> None:
        """Read the catalogue; this blocks."""
        self._path = path
        self._home = home
        self._watcher = ChangeWatcher(path)
        try:
            self._snapshot = _load(path, home, self._watcher.revision())
        except BaseException:
            self._watcher.close()
            raise
        self._loading: asyncio.Future[Snapshot] | None = None
        self._fresh_until_s = float("-inf")

    def fresh(self) -> Snapshot | None:
        """Return the snapshot if it was checked within ``FRESH_S`` and not invalidated since."""
        return self._snapshot if time.monotonic() < self._fresh_until_s else None

    def invalidate(self) -> None:
        """Make the next read check for changes: this process has written."""
        self._fresh_until_s = float("-inf")

    async def latest(self) -> Snapshot:
        """Return the catalogue with everything that was committed before this call.

        While another program locks the catalogue, the last snapshot is returned.
        """
        # Twice, because a load in progress may have begun before this call; the next one cannot have. Not more
        # often, so that a process that writes continuously does not block readers.
        for _ in range(2):
            revision = self._watcher.revision()
            if revision == self._snapshot.revision:
                self._fresh_until_s = time.monotonic() + FRESH_S
                break
            try:
                self._snapshot = await self._load_once(revision)
            except sqlite3.OperationalError as error:
                if not is_busy(error):
                    raise
        return self._snapshot

    async def close(self) -> None:
        """Close the file."""
        if self._loading is not None:
            await asyncio.wait([self._loading])
        self._watcher.close()

    async def _load_once(self, revision: Revision) -> Snapshot:
        """Join the load in progress, or start one. Cancelling one caller does not cancel the load for others."""
        if self._loading is None:
            self._loading = asyncio.get_running_loop().run_in_executor(
                None, _load, self._path, self._home, revision, self._snapshot
            )
            self._loading.add_done_callback(self._forget_load)
        return await asyncio.shield(self._loading)

    def _forget_load(self, load: asyncio.Future[Snapshot]) -> None:
        self._loading = None
        if not load.cancelled():
            load.exception()  # raised in the waiting callers; all of them may be gone


def _load(path: Path, home: HomePaths, revision: Revision, known: Snapshot | None = None) -> Snapshot:
    """Read the catalogue at ``revision`` or later; the next check detects a later one."""
    repair(path)
    with reading(path) as connection:
        models_revision = load_models_revision(connection)
        if known is not None and known.models_revision == models_revision:
            return known.with_uses(revision, load_uses(connection))
        models = load_models(connection, home)
        holds = load_lock_paths(connection)
        profiles = load_profiles(connection)
    return Snapshot(revision, models_revision, models, _index(models), home, holds, profiles)


def _index(models: tuple[ModelSummary, ...]) -> dict[str, ModelSummary]:
    return {model.name: model for model in models}
