"""What the catalogue looked like when it last changed, kept in memory. Knows nothing of writing.

The proxy asks for a model with every request, so a read looks whether anything changed and answers from memory when
nothing has. Only a change is read from the file: off the event loop, because 500 models take some 15 ms, and once for
everyone who waits for it. When all that changed is when models were used, which a server writes once a minute, then
only that is read.
"""

import asyncio
import sqlite3
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from gglib.core.kinds import launch_spec
from gglib.core.models import ModelLaunchSpec, ModelSummary
from gglib.core.names import find_model
from gglib.db.connections import reading
from gglib.db.home_paths import HomePaths, StoredPath
from gglib.db.replaced import settle
from gglib.db.rows import load_edition, load_models, load_uses
from gglib.db.sqlite_errors import is_busy
from gglib.db.version_rows import load_holds
from gglib.db.watcher import ChangeWatcher, Edition

FRESH_S = 0.02
"""How long a look counts. A look is some ten system calls, a tenth of what a short request costs in all. Less than it
takes a command that has added a model to end: who adds one and then asks for it is heard."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Every model, in an edition of the catalogue or a later one."""

    edition: Edition
    models_edition: int
    """Of the models alone, without their uses; see ``rows.load_edition``."""
    models: tuple[ModelSummary, ...]
    by_name: Mapping[str, ModelSummary]
    home: HomePaths
    holds: Mapping[int, StoredPath]
    """What to lock while the files of a version are used, by the version's id; few of them are ever asked for."""
    specs: dict[str, ModelLaunchSpec] = field(default_factory=dict)
    """Launch specs that were asked for, by the model's own name."""

    def find(self, name: str) -> ModelSummary | None:
        """Return the model that ``name`` means; the index only shortens the first rule of ``find_model``."""
        return self.by_name.get(name) or find_model(name, self.models)

    def spec(self, name: str) -> ModelLaunchSpec | None:
        """Return what an engine needs to load the model that ``name`` means; computed once."""
        known = self.specs.get(name)
        if known is not None:
            return known
        model = self.find(name)
        if model is None:
            return None
        hold = None if model.version_id is None else self.holds.get(model.version_id)
        spec = launch_spec(model, model.paths[0], hold_path=self.home.optional_path(hold))
        self.specs[model.name] = spec
        return spec

    def with_uses(self, edition: Edition, used_at: Mapping[int, int]) -> "Snapshot":
        """Return the same models in a later edition, used at these times; what needs no copy is shared."""
        models = tuple(
            model
            if model.last_used_at == used_at.get(model.id)
            else replace(model, last_used_at=used_at.get(model.id))
            for model in self.models
        )
        return replace(self, edition=edition, models=models, by_name=_index(models))


class SnapshotCache:
    """Owns the latest snapshot and the watcher that says when it is out of date."""

    def __init__(self, path: Path, home: HomePaths) -> None:
        """Read the catalogue; this blocks."""
        self._path = path
        self._home = home
        self._watcher = ChangeWatcher(path)
        try:
            self._snapshot = _load(path, home, self._watcher.edition())
        except BaseException:
            self._watcher.close()
            raise
        self._loading: asyncio.Future[Snapshot] | None = None
        self._fresh_until_s = float("-inf")

    def fresh(self) -> Snapshot | None:
        """Return the snapshot if it was looked at a moment ago (``FRESH_S``) and nobody has expired it since."""
        return self._snapshot if time.monotonic() < self._fresh_until_s else None

    def expire(self) -> None:
        """Have the next reader look: this process has written."""
        self._fresh_until_s = float("-inf")

    async def latest(self) -> Snapshot:
        """Return the catalogue with everything that was committed before this was called.

        A catalogue that is locked by another program is answered with the last snapshot.
        """
        # Twice, because a load that is under way may have begun before this call; the next one cannot have. No more
        # often, so that somebody who writes without a pause keeps nobody waiting.
        for _ in range(2):
            edition = self._watcher.edition()
            if edition == self._snapshot.edition:
                self._fresh_until_s = time.monotonic() + FRESH_S
                break
            try:
                self._snapshot = await self._load_once(edition)
            except sqlite3.OperationalError as error:
                if not is_busy(error):
                    raise
        return self._snapshot

    async def close(self) -> None:
        """Let go of the file."""
        if self._loading is not None:
            await asyncio.wait([self._loading])
        self._watcher.close()

    async def _load_once(self, edition: Edition) -> Snapshot:
        """Join the load that is under way, or begin one. A caller that is cancelled does not end it for others."""
        if self._loading is None:
            self._loading = asyncio.get_running_loop().run_in_executor(
                None, _load, self._path, self._home, edition, self._snapshot
            )
            self._loading.add_done_callback(self._forget_load)
        return await asyncio.shield(self._loading)

    def _forget_load(self, load: asyncio.Future[Snapshot]) -> None:
        self._loading = None
        if not load.cancelled():
            load.exception()  # told to those who wait; nobody may be left


def _load(path: Path, home: HomePaths, edition: Edition, known: Snapshot | None = None) -> Snapshot:
    """Read what is there now: ``edition``, which was seen before, or a later one, which the next look will tell."""
    settle(path)
    with reading(path) as connection:
        models_edition = load_edition(connection)
        if known is not None and known.models_edition == models_edition:
            return known.with_uses(edition, load_uses(connection))
        models = load_models(connection, home)
        holds = load_holds(connection)
    return Snapshot(edition, models_edition, models, _index(models), home, holds)


def _index(models: tuple[ModelSummary, ...]) -> dict[str, ModelSummary]:
    return {model.name: model for model in models}
