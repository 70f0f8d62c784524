"""Carries the home of an older gglib over into the catalogue: its notes become versions, pulls and removals.

The models stay where they lie, as versions without a directory. Only what no model uses is renamed: what came of pulls
that have not ended. Each item is a transaction, or renames that can be repeated, and its note goes after that: killed
anywhere, the next open does the rest. A pull that an older gglib is at work on is left alone until it has ended.
"""

import asyncio
import contextlib
import fcntl
import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath

from gglib.core.errors import GglibError, InvalidGgufError
from gglib.core.models import ModelSource, ModelSummary, NewModel
from gglib.core.plain_text import escape_line
from gglib.core.ports.store import HomeStorePort
from gglib.core.shell_quoting import quoted_command
from gglib.core.versions import FileRole, NewVersion, OwnFile
from gglib.library.add import ModelReader
from gglib.library.homes.legacy_files import LegacyFiles, has_not_changed_since, source_of
from gglib.library.homes.legacy_pulls import (
    LegacyPulls,
    MigratedPull,
    PartManifests,
    files_of,
    moved_here,
)
from gglib.library.homes.legacy_records import (
    PULLS,
    REMOVALS,
    WRITTEN,
    LegacyFileRecord,
    read_removal,
    read_written,
)
from gglib.library.homes.location import Home
from gglib.library.versions.ownership import identity_of
from gglib.system.files.locks import flock_if_possible
from gglib.system.files.small_files import (
    open_regular,
    parse_json,
    read_open,
    read_small,
    warn_skipped_once,
)
from gglib.system.threads import run_to_completion

NOTE_DIRECTORIES = (WRITTEN, PULLS, REMOVALS)
_DRAFTS = ("*.draft", "*.json.*", "*.lock")
_log = logging.getLogger("gglib")


def has_legacy_records(models_dir: Path) -> bool:
    """Whether an older gglib left notes: three looks."""
    return any(os.path.lexists(models_dir / name) for name in NOTE_DIRECTORIES)


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeMigration:
    """Carries one home over; the caller holds its lock."""

    home: Home
    store: HomeStorePort
    read_model: ModelReader
    part_manifests: PartManifests
    pinned: Sequence[LegacyFileRecord] = ()
    """Files that every gglib knows, of homes without notes."""

    @property
    def _pulls(self) -> LegacyPulls:
        return LegacyPulls(home=self.home, part_manifests=self.part_manifests)

    async def run(self) -> None:
        """Carry over what there is; what cannot be now is left for the next time. Raises ``CatalogError``, OSError."""
        models = await self.store.list_models()
        pulls = await asyncio.to_thread(self._pulls.read)
        notes = await asyncio.to_thread(self._notes)
        old = LegacyFiles(models_dir=self.home.models_dir, notes=notes)
        known = await asyncio.to_thread(old.as_noted)
        verified = {pull.note: await asyncio.to_thread(self._pulls.verified, pull, known) for pull in pulls}
        promised = {path: sha256 for hashes in verified.values() for path, sha256 in hashes.items()}
        old = replace(old, promised=promised)
        for model in models:
            if model.version_id is None:
                await self._carry_model(model, old)
        models = await self.store.list_models()
        pulls = [pull.updating(models) for pull in pulls]
        coming = {target for pull in pulls for target in pull.targets}
        retired = await self._carry_removals(old, models, coming)
        await self._carry_leftovers(old, models, coming | retired)
        left = [pull for pull in pulls if not await self._carry_pull(pull, verified[pull.note], models)]
        kept = {target for pull in left for target in pull.targets}
        await run_to_completion(self._forget_notes, kept)

    async def _carry_model(self, model: ModelSummary, old: LegacyFiles) -> None:
        """Give a model its version, where gglib wrote its first file."""
        place = await asyncio.to_thread(self._place_of, model)
        files = await asyncio.to_thread(old.of_model, model, place.paths, place.projector)
        source = source_of(model, self.home.models_dir, place.paths)
        is_as_it_was = place.paths == model.paths and place.projector == model.projector
        if is_as_it_was and source == model.source:
            if files and files[0].path == model.paths[0]:
                installed = await self.store.add_version(
                    NewVersion(directory=None, source=source, files=files)
                )
                await self.store.assign_version(model.id, installed.id)
            return
        changed = await asyncio.to_thread(self._changed, model, place, source)
        if changed is None:
            return
        if place.paths == tuple(file.path for file in files if file.role is FileRole.MODEL):
            version = NewVersion(directory=None, source=source, files=files)
            await self.store.install_version(version, changed, updates=model.id)
        elif not is_as_it_was:
            await self.store.replace_model(model.name, changed, seen=model)

    def _place_of(self, model: ModelSummary) -> "_Files":
        """Return where the files of a model are: in this home, also where it was in another place before."""
        if not model.is_downloaded or all(_is_below(path, self.home) for path in model.paths):
            return _Files(model.paths, model.projector)
        try:
            paths = tuple(_here(path, self.home) for path in model.paths)
            projector = None if model.projector is None else _here(model.projector, self.home)
        except ValueError:
            return _Files(model.paths, model.projector)
        is_there = all(identity_of(path) is not None for path in paths)
        return _Files(paths, projector) if is_there else _Files(model.paths, model.projector)

    def _changed(self, model: ModelSummary, place: "_Files", source: ModelSource) -> NewModel | None:
        """Return a model with its files where they are, and its source; None where its header cannot be read now."""
        try:
            files = self.read_model(place.paths[0])
        except InvalidGgufError:
            return None
        if files.paths != place.paths:
            return None
        return NewModel(
            name=model.name,
            aliases=model.aliases,
            paths=place.paths,
            size_bytes=files.size_bytes,
            description=model.description,
            facts=files.facts if place.projector is None else files.facts.with_vision(),
            tags=model.tags,
            settings=model.settings,
            source=source,
            hashes=model.hashes,
            projector=place.projector,
            projector_sha256=model.projector_sha256,
            is_downloaded=model.is_downloaded,
        )

    async def _carry_leftovers(
        self, old: LegacyFiles, models: Sequence[ModelSummary], but: Iterable[Path]
    ) -> None:
        """Record the files that gglib wrote and no model has: a pull of the same takes them, and prune frees them."""
        used = {path for model in models for path in model.all_files} | set(but)
        for version in await asyncio.to_thread(old.leftovers, used):
            await self.store.add_version(version)

    async def _carry_pull(
        self, pull: MigratedPull, verified: Mapping[Path, str], models: Sequence[ModelSummary]
    ) -> bool:
        """Record a pull, bring what came of it, forget its note; False where an older gglib is at work on it."""
        try:
            with self._pulls.alone_with(pull) as is_alone:
                if not is_alone:
                    return False
                if not pull.is_copy and not _is_entered(pull, models):
                    await self._record(pull)
                used = await asyncio.to_thread(files_of, models)
                is_whole = await run_to_completion(self._pulls.bring, pull, verified, used)
                if is_whole and pull.was_fetched and await self._has(pull.job.key):
                    await self.store.begin_pull(pull.fetched_job(self.home.models_dir))
                await run_to_completion(partial(pull.note.unlink, missing_ok=True))
            if pull.job.updates is not None and verified and not pull.was_fetched:
                _warn_of_mix(pull)
        except (OSError, GglibError) as error:
            _warn(pull.note, error)
            return False
        return True

    async def _record(self, pull: MigratedPull) -> None:
        if not await self._has(pull.job.key):
            await self.store.begin_pull(pull.job)

    async def _has(self, key: str) -> bool:
        return any(job.key == key for job in await self.store.list_pulls())

    async def _carry_removals(
        self, old: LegacyFiles, models: Sequence[ModelSummary], coming: Iterable[Path]
    ) -> set[Path]:
        """Retire what is being deleted and no model uses; return that."""
        used = {path for model in models for path in model.all_files} | set(coming)
        found: set[Path] = set()
        for note in sorted((self.home.models_dir / REMOVALS).glob("*.json")):
            with _alone_with(note) as descriptor:
                if descriptor is not None:
                    found |= await self._carry_removal(note, descriptor, old, used)
        return found

    async def _carry_removal(
        self, note: Path, descriptor: int, old: LegacyFiles, used: set[Path]
    ) -> set[Path]:
        try:
            paths = read_removal(parse_json(read_open(descriptor)))
        except (
            OSError,
            ValueError,
        ) as error:  # torn: it was written before its row went, and deletes nothing
            warn_skipped_once(note, error)
            return set()
        noted_ns = os.fstat(descriptor).st_mtime_ns
        version = await asyncio.to_thread(self._removed, paths, noted_ns, old, used)
        if version is not None:
            installed = await self.store.add_version(version)
            await self.store.retire_unused([installed.id])
        await run_to_completion(partial(note.unlink, missing_ok=True))
        return set() if version is None else {file.path for file in version.files}

    def _removed(
        self, paths: Iterable[Path], noted_ns: int, old: LegacyFiles, used: set[Path]
    ) -> NewVersion | None:
        """Return what of a removal is left: files that are as noted, or were not touched since it was noted."""
        files, source = [], ModelSource()
        for path in paths:
            try:
                here = _here(path, self.home)
            except ValueError:
                continue
            known = old.known(here)
            if here in used:
                continue
            if known is not None:
                files.append(known[0])
                source = known[1]
            elif has_not_changed_since(here, noted_ns) and (identity := identity_of(here)) is not None:
                files.append(
                    OwnFile(path=here, role=FileRole.MODEL, name=here.name, identity=identity, sha256=None)
                )
        return NewVersion(directory=None, source=source, files=tuple(files)) if files else None

    def _notes(self) -> dict[PurePosixPath, LegacyFileRecord]:
        """Return the notes of files by their names; bad ones are skipped with a warning."""
        notes = {note.name: note for note in self.pinned}
        for path in sorted((self.home.models_dir / WRITTEN).glob("*.json")):
            try:
                note = read_written(parse_json(read_small(path)))
            except FileNotFoundError:
                continue
            except (OSError, ValueError) as error:
                warn_skipped_once(path, error)
                continue
            notes[note.name] = note
        return notes

    def _forget_notes(self, kept: set[Path]) -> None:
        """Delete the notes of files, which the catalogue has now, but for those of pulls that are still under way."""
        for path in sorted((self.home.models_dir / WRITTEN).glob("*.json")):
            with contextlib.suppress(OSError, ValueError):
                note = read_written(parse_json(read_small(path)))
                if self.home.models_dir / note.name not in kept:
                    path.unlink()
        for name in NOTE_DIRECTORIES:
            directory = self.home.models_dir / name
            for draft in (path for pattern in _DRAFTS for path in sorted(directory.glob(pattern))):
                with _alone_with(draft) as descriptor:
                    if descriptor is not None:
                        draft.unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                directory.rmdir()  # only when it is empty


@dataclass(frozen=True, slots=True)
class _Files:
    """Where the files of a model are."""

    paths: tuple[Path, ...]
    projector: Path | None


def _is_entered(pull: MigratedPull, models: Iterable[ModelSummary]) -> bool:
    """Whether a pull had ended but for its note: its model has the very files that it brought."""
    hashes = tuple(file.sha256 for file in pull.job.files if file.role is FileRole.MODEL)
    targets = pull.targets[: len(hashes)]
    return pull.was_fetched and any(model.paths == targets and model.hashes == hashes for model in models)


def _is_below(path: Path, home: Home) -> bool:
    return path.is_relative_to(home.directory)


def _here(path: Path, home: Home) -> Path:
    """Return where a file is in this home. Raises ValueError where it is outside."""
    return path if path.is_relative_to(home.models_dir) else moved_here(path, home)[0]


@contextmanager
def _alone_with(path: Path) -> Iterator[int | None]:
    """Yield a note that no living gglib is at work on, locked; None where one is, or where it is no plain file."""
    try:
        descriptor = open_regular(path)
    except OSError as error:
        if not isinstance(error, FileNotFoundError):
            warn_skipped_once(path, error)
        yield None
        return
    try:
        try:
            flock_if_possible(descriptor, fcntl.LOCK_EX)
            is_alone = True
        except OSError:
            is_alone = False
        yield descriptor if is_alone else None
    finally:
        os.close(descriptor)


def _warn_of_mix(pull: MigratedPull) -> None:
    """Say that an update by an older gglib, which replaced files one by one, ended between two of them."""
    _log.warning(
        "'%s' has files of two versions, because an update of it was cut: %s ends that.",
        escape_line(pull.job.name),
        quoted_command("pull", pull.job.asked),
    )


def _warn(note: Path, error: Exception) -> None:
    _log.warning("%s is left for the next time: %s", escape_line(str(note)), escape_line(str(error)))
