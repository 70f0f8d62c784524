"""A catalogue in memory: the store ports without a file. Knows nothing of SQLite or GGUF."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from gglib.core import models
from gglib.core.chat_templates import template_sha256
from gglib.core.errors import ModelExistsError
from gglib.core.kinds import launch_spec, with_kind
from gglib.core.memory import DeviceBytes
from gglib.core.models import ModelLaunchSpec, ModelSummary, NewModel, is_same_content
from gglib.core.name_rules import names_not_in, renamed
from gglib.core.names import find_model
from gglib.core.ports.catalog import EditModel, ModelStorePort
from gglib.core.ports.memory_peaks import MemoryPeakStorePort
from gglib.core.ports.profiles import EditProfile, ProfileStorePort
from gglib.core.ports.versions import VersionStorePort
from gglib.core.profile_rules import check_profile
from gglib.core.profiles import Profile, ProfiledModel, find_profile, find_profiled
from gglib.core.versions import (
    FileIdentity,
    FileRole,
    HomeIdentity,
    InstalledVersion,
    NewVersion,
    PullJob,
    Version,
)

NO_FILE = Path("/nonexistent/model.gguf")
"""The launch path of a model without paths: no file that an engine could open by accident."""


class FakeCatalog(ModelStorePort, ProfileStorePort, VersionStorePort, MemoryPeakStorePort):
    """Keeps models in a list. ``fails_with``, if set, is raised by every method.

    The initial models are not validated, so two names may differ in case only: this makes an ambiguous name.
    """

    def __init__(self, models: Iterable[ModelSummary] = (), *, fails_with: Exception | None = None) -> None:
        self.fails_with = fails_with
        self._models = list(models)
        self._last_id = max((model.id for model in self._models), default=0)
        self._versions: dict[int, Version] = {}
        self._last_version_id = 0
        self._pulls: dict[str, PullJob] = {}
        self._home: HomeIdentity | None = None
        self._peaks: dict[str, DeviceBytes] = {}
        self._profiles: list[Profile] = []

    async def list_models(self) -> list[ModelSummary]:
        """Return every model, in insertion order."""
        self._raise_if_failing()
        return list(self._models)

    async def resolve_model(self, name: str) -> ModelSummary | None:
        """Return the model that ``name`` means; None if it is unknown or ambiguous."""
        self._raise_if_failing()
        return find_model(name, self._models)

    async def resolve_for_launch(self, name: str) -> ModelLaunchSpec | None:
        """Return what an engine needs; the path is the first shard's, or one that does not exist."""
        model = await self.resolve_model(name)
        if model is None:
            return None
        version = None if model.version_id is None else self._versions.get(model.version_id)
        hold_path = None if version is None else version.hold_path
        no_file = NO_FILE if model.backend is None else models.NO_FILE
        return launch_spec(model, model.paths[0] if model.paths else no_file, hold_path=hold_path)

    async def add_model(self, model: NewModel) -> ModelSummary:
        """Store a model under an unused id; raises ``ModelExistsError`` as the port says."""
        self._raise_if_failing()
        return self._added(model)

    async def remove_model(self, name: str) -> ModelSummary | None:
        """Delete a model and return it, or None."""
        model = await self.resolve_model(name)
        if model is not None:
            self._models.remove(model)
        return model

    async def edit_model(self, name: str, edit: EditModel) -> ModelSummary | None:
        """Apply ``edit``; raises ``ModelExistsError`` if a name is taken, ``InvalidSettingError`` if it is none."""
        model = await self.resolve_model(name)
        if model is None:
            return None
        change = edit(model)
        others = [other for other in self._models if other.id != model.id]
        name, aliases = renamed(model, change)
        self._refuse_taken_spellings((name, *aliases), others)
        changed = with_kind(
            replace(
                model,
                name=name,
                aliases=aliases,
                tags=model.tags if change.tags is None else change.tags,
                settings=model.settings if change.settings is None else change.settings,
                backend=model.backend if change.backend is None else change.backend,
            )
        )
        self._models[self._models.index(model)] = changed
        return changed

    async def replace_model(
        self, name: str, model: NewModel, *, seen: ModelSummary | None = None
    ) -> ModelSummary | None:
        """Replace the files and facts of a model; raises ``ModelExistsError`` if another model has a path."""
        known = await self.resolve_model(name)
        if known is None or (seen is not None and not is_same_content(known, seen)):
            return None
        if known.version_id is not None:
            model = replace(model, is_downloaded=False)
        version_id = known.version_id if model.paths == known.paths else None
        return self._moved(known, model, version_id)

    async def note_use(self, used_at: Mapping[int, int]) -> None:
        """Record when models were last used; unknown ids are ignored."""
        self._raise_if_failing()
        self._models = [
            replace(model, last_used_at=used_at.get(model.id, model.last_used_at)) for model in self._models
        ]

    async def list_peaks(self) -> dict[str, DeviceBytes]:
        """Return the recorded peaks by key."""
        self._raise_if_failing()
        return dict(self._peaks)

    async def record_peak(self, key: str, size: DeviceBytes) -> None:
        """Record a peak, or replace it; the number of records is not limited."""
        self._raise_if_failing()
        self._peaks[key] = dict(size)

    async def list_profiles(self) -> list[Profile]:
        """Return the profiles, without those of removed models, in insertion order."""
        self._raise_if_failing()
        ids = {None, *(model.id for model in self._models)}
        return [profile for profile in self._profiles if profile.model_id in ids]

    async def resolve_profile(self, name: str) -> ProfiledModel | None:
        """Return what ``model:profile`` resolves to."""
        return find_profiled(name, self._models, await self.list_profiles())

    async def edit_profile(self, name: str, model_id: int | None, edit: EditProfile) -> Profile | None:
        """Add or change a profile; see the port."""
        known = find_profile(name, model_id, await self.list_profiles())
        if model_id is not None and all(model.id != model_id for model in self._models):
            return None
        changed = replace(edit(known), name=name, model_id=model_id)
        check_profile(changed)
        if known is None:
            self._profiles.append(changed)
        else:
            self._profiles[self._profiles.index(known)] = changed
        return changed

    async def remove_profile(self, name: str, model_id: int | None) -> Profile | None:
        """Remove a profile and return it, or None."""
        known = find_profile(name, model_id, await self.list_profiles())
        if known is not None:
            self._profiles.remove(known)
        return known

    async def list_versions(self) -> list[Version]:
        """Return every version, including retired ones, in insertion order."""
        self._raise_if_failing()
        return list(self._versions.values())

    async def install_version(
        self,
        version: NewVersion,
        model: NewModel,
        *,
        updates: int | None = None,
        job_key: str | None = None,
        moved_aliases: Collection[tuple[int, str]] = (),
    ) -> InstalledVersion:
        """Record a version and move a model's row to it; see the port."""
        self._raise_if_failing()
        _check(version, model)
        models_before = list(self._models)
        try:
            self._models = [_without(known, moved_aliases) for known in self._models]
            return self._entered(version, model, updates, job_key)
        except ModelExistsError:
            self._models = models_before
            raise

    def _entered(
        self, version: NewVersion, model: NewModel, updates: int | None, job_key: str | None
    ) -> InstalledVersion:
        before = next((known for known in self._models if known.id == updates), None)
        own = {before.name, *before.aliases} if before is not None else {model.name}
        wanted = names_not_in(own, model.aliases)
        taken = {spelling.casefold() for other in self._models for spelling in (other.name, *other.aliases)}
        free = tuple(alias for alias in wanted if alias.casefold() not in taken)
        same = self._same(version)
        version_id = self._last_version_id + 1 if same is None else same.id
        if before is None:
            installed = self._added(replace(model, aliases=free), version_id)
        else:
            installed = self._moved(before, model, version_id, free)
        self._last_version_id = max(version_id, self._last_version_id)
        created_at = version_id if same is None else same.created_at
        self._versions[version_id] = _version_of(version, version_id, created_at)
        self._pulls.pop(job_key or "", None)
        replaced = before.version_id if before is not None and before.version_id != version_id else None
        if replaced is not None:
            self._retire(replaced)
        return InstalledVersion(
            model=installed,
            version=self._versions[version_id],
            replaced=None if replaced is None else self._versions.get(replaced),
            refused_aliases=tuple(alias for alias in wanted if alias not in free),
        )

    async def add_version(self, version: NewVersion) -> Version:
        """Record a version without a model; a version that is known already is returned unchanged."""
        self._raise_if_failing()
        _check(version)
        known = self._same(version)
        if known is not None:
            return known
        self._last_version_id += 1
        added = _version_of(version, self._last_version_id, self._last_version_id)
        self._versions[added.id] = added
        return added

    async def assign_version(self, model_id: int, version_id: int) -> ModelSummary | None:
        """Assign a version to a model whose row has its files already; see the port."""
        self._raise_if_failing()
        model = next((known for known in self._models if known.id == model_id), None)
        version = self._versions.get(version_id)
        if model is None or version is None or model.version_id is not None:
            return model
        if not set(model.paths[:1]) & {file.path for file in version.files}:
            return model
        changed = replace(model, version_id=version_id, is_downloaded=True)
        self._models[self._models.index(model)] = changed
        self._versions[version_id] = replace(version, is_retired=False)
        return changed

    async def retire_unused(self, version_ids: Collection[int]) -> list[Version]:
        """Retire the given versions that no model has; return them."""
        self._raise_if_failing()
        known = sorted(self._versions.keys() & set(version_ids))
        return [self._versions[known_id] for known_id in known if self._retire(known_id)]

    async def remove_with_version(self, model_id: int) -> tuple[ModelSummary, Version | None] | None:
        """Delete a model, and retire its version if no other model has it; return both as they were."""
        self._raise_if_failing()
        model = next((known for known in self._models if known.id == model_id), None)
        if model is None:
            return None
        self._models.remove(model)
        version = None if model.version_id is None else self._versions.get(model.version_id)
        return model, version if version is not None and self._retire(version.id) else None

    async def forget_files(self, version_id: int, paths: Sequence[Path]) -> None:
        """Delete the records of files of a version, and the version with the last of them."""
        self._raise_if_failing()
        version = self._versions.get(version_id)
        if version is None:
            return
        kept = tuple(file for file in version.files if file.path not in paths)
        self._versions[version_id] = replace(version, files=kept)
        if not kept:
            del self._versions[version_id]
            self._models = [
                replace(model, version_id=None, is_downloaded=False)
                if model.version_id == version_id
                else model
                for model in self._models
            ]

    async def update_identities(self, identities: Mapping[Path, FileIdentity]) -> None:
        """Record the current identities of files by path, in every version that has them."""
        self._raise_if_failing()
        self._change_identities(identities.get)

    async def begin_pull(self, job: PullJob) -> None:
        """Record a pull; replaces a record with the same key."""
        self._raise_if_failing()
        self._pulls[job.key] = job

    async def list_pulls(self) -> list[PullJob]:
        """Return the unfinished pulls, by name."""
        self._raise_if_failing()
        return sorted(self._pulls.values(), key=lambda job: (job.name, job.key))

    async def end_pull(self, key: str) -> None:
        """Delete the record of a pull; no effect if there is none."""
        self._raise_if_failing()
        self._pulls.pop(key, None)

    async def read_home(self) -> HomeIdentity | None:
        """Return the recorded identity of the home."""
        self._raise_if_failing()
        return self._home

    async def record_home(
        self, identity: HomeIdentity, *, resets_identities: bool, keeps_pulls: bool = False
    ) -> None:
        """Record the home's identity; in another place, delete devices, inodes and pulls."""
        self._raise_if_failing()
        self._home = identity
        if resets_identities:
            if not keeps_pulls:
                self._pulls.clear()
            self._change_identities(lambda _, identity: replace(identity, device=None, inode=None))

    def _raise_if_failing(self) -> None:
        if self.fails_with is not None:
            raise self.fails_with

    def _refuse_taken_spellings(self, wanted: Iterable[str], others: Iterable[ModelSummary]) -> None:
        taken = {spelling.casefold() for other in others for spelling in (other.name, *other.aliases)}
        for spelling in wanted:
            if spelling.casefold() in taken:
                raise ModelExistsError(f"The name '{spelling}' is taken already: choose another.")

    def _refuse_taken_paths(self, wanted: tuple[Path, ...], *, but: ModelSummary | None = None) -> None:
        for model in self._models:
            if model is not but and set(wanted) & set(model.paths):
                raise ModelExistsError(f"This file is in the catalogue already, as '{model.name}'.")

    def _same(self, version: NewVersion) -> Version | None:
        return next((known for known in self._versions.values() if _is_same(known, version)), None)

    def _retire(self, version_id: int) -> bool:
        """Retire a version that no model has; return whether it is unused."""
        if any(model.version_id == version_id for model in self._models):
            return False
        self._versions[version_id] = replace(self._versions[version_id], is_retired=True)
        return True

    def _change_identities(self, change: Callable[[Path, FileIdentity], FileIdentity]) -> None:
        for version in list(self._versions.values()):
            files = tuple(replace(file, identity=change(file.path, file.identity)) for file in version.files)
            self._versions[version.id] = replace(version, files=files)

    def _added(self, model: NewModel, version_id: int | None = None) -> ModelSummary:
        self._refuse_taken_spellings((model.name, *model.aliases), self._models)
        self._refuse_taken_paths(model.paths)
        self._last_id += 1
        summary = _summary_of(model, self._last_id, version_id)
        self._models.append(summary)
        return summary

    def _moved(
        self, known: ModelSummary, model: NewModel, version_id: int | None, aliases: tuple[str, ...] = ()
    ) -> ModelSummary:
        self._refuse_taken_paths(model.paths, but=known)
        changed = with_kind(
            replace(
                _summary_of(model, known.id, version_id),
                name=known.name,
                aliases=(*known.aliases, *aliases),
                tags=known.tags,
                settings=known.settings,
                added_at=known.added_at,
                last_used_at=known.last_used_at,
            )
        )
        self._models[self._models.index(known)] = changed
        return changed


def _summary_of(model: NewModel, model_id: int, version_id: int | None) -> ModelSummary:
    """Return the stored form. There is no clock: the id also serves as the date."""
    return with_kind(
        ModelSummary(
            id=model_id,
            name=model.name,
            aliases=model.aliases,
            description=model.description,
            architecture=model.facts.architecture,
            quantization=model.facts.quantization,
            parameter_count=model.facts.parameter_count,
            size_bytes=model.size_bytes,
            trained_context=model.facts.trained_context,
            capabilities=model.facts.capabilities,
            pooling=model.facts.pooling,
            tags=model.tags,
            settings=model.settings,
            source=model.source,
            backend=model.backend,
            paths=model.paths,
            hashes=model.hashes if any(model.hashes) else (),
            projector=model.projector,
            projector_sha256=model.projector_sha256,
            version_id=version_id,
            is_downloaded=version_id is not None or model.is_downloaded,
            chat_template_sha256=template_sha256(model.facts.chat_template),
            added_at=model_id,
        )
    )


def _version_of(version: NewVersion, version_id: int, created_at: int) -> Version:
    return Version(
        id=version_id,
        created_at=created_at,
        directory=version.directory,
        source=version.source,
        files=version.files,
    )


def _is_same(known: NewVersion, version: NewVersion) -> bool:
    if known.directory is not None or version.directory is not None:
        return known.directory == version.directory
    return {file.path for file in known.files} == {file.path for file in version.files}


def _without(model: ModelSummary, moved_aliases: Collection[tuple[int, str]]) -> ModelSummary:
    moved = {alias.casefold() for model_id, alias in moved_aliases if model_id == model.id}
    return replace(model, aliases=tuple(alias for alias in model.aliases if alias.casefold() not in moved))


def _check(version: NewVersion, model: NewModel | None = None) -> None:
    shards = tuple(file.path for file in version.files if file.role is FileRole.MODEL)
    if not version.files or (model is not None and model.paths != shards):
        raise ValueError("The model's files are not those of its version.")
