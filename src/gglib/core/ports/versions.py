"""The records of files that gglib wrote: versions, and unfinished pulls.

Each method that changes records is one transaction, durable when it returns. Failures are a ``CatalogError``.
"""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from gglib.core.models import ModelSummary, NewModel
from gglib.core.versions import (
    FileIdentity,
    HomeIdentity,
    InstalledVersion,
    NewVersion,
    PullJob,
    Version,
)


class VersionStorePort(Protocol):
    """Reads and changes the records of versions and pulls."""

    async def list_versions(self) -> list[Version]:
        """Return every version, retired ones included, in the order of their creation."""
        ...

    async def install_version(
        self,
        version: NewVersion,
        model: NewModel,
        *,
        updates: int | None = None,
        job_key: str | None = None,
        moved_aliases: Collection[tuple[int, str]] = (),
    ) -> InstalledVersion:
        """Record a version, move a model's row to it and delete the record of pull ``job_key``, in one transaction.

        ``updates`` is the id of the model that gets the version: it keeps its id, name, tags, settings, dates and
        aliases, and gets the aliases of ``model`` that are free. With None, or if that model is gone, a new row is
        created. The previous version of the row is retired unless another row has it.

        ``moved_aliases`` are removed from the models with these ids before names are checked; aliases that such a
        model no longer has are ignored.

        A version that is already recorded (same directory; without a directory, same files) keeps its id, gets these
        files and is no longer retired. Raises ``ModelExistsError`` if a new row's name is taken or another model has
        one of the paths; ``ValueError`` if the model's paths are not the version's model files in order.
        """
        ...

    async def add_version(self, version: NewVersion) -> Version:
        """Record a version without a model: from the home of an older gglib, or from a manifest on the disk.

        A version that is already recorded (see ``install_version``) is returned unchanged.
        """
        ...

    async def assign_version(self, model_id: int, version_id: int) -> ModelSummary | None:
        """Record that a model has a version whose files its row already names; the version is no longer retired.

        The model is returned unchanged if the version is gone, if the row's first file does not belong to it, or if the
        model has another version. Returns None if the model is gone.
        """
        ...

    async def retire_unused(self, version_ids: Collection[int]) -> list[Version]:
        """Retire those of the versions that no model has, and return them."""
        ...

    async def remove_with_version(self, model_id: int) -> tuple[ModelSummary, Version | None] | None:
        """Delete a model, and retire its version unless another model has it; return both as they were.

        Returns None if the model is gone; no version if the model has none or shares it.
        """
        ...

    async def forget_files(self, version_id: int, paths: Sequence[Path]) -> None:
        """Delete the records of a retired version's deleted files, and the version's record with the last file."""
        ...

    async def update_identities(self, identities: Mapping[Path, FileIdentity]) -> None:
        """Record new file identities by path: after the home was moved, or after the content was verified."""
        ...

    async def begin_pull(self, job: PullJob) -> None:
        """Record a pull before its first byte; replaces an older record with the same key."""
        ...

    async def list_pulls(self) -> list[PullJob]:
        """Return the unfinished pulls, by name."""
        ...

    async def end_pull(self, key: str) -> None:
        """Delete the record of a pull, if there is one."""
        ...

    async def read_home(self) -> HomeIdentity | None:
        """Return the recorded identity of the home; None before the first use."""
        ...

    async def record_home(
        self, identity: HomeIdentity, *, resets_identities: bool, keeps_pulls: bool = False
    ) -> None:
        """Record the home's identity.

        ``resets_identities`` is for a home that was copied or moved to another file system: recorded devices and inodes
        are no longer valid and are set to None, and unfinished pulls are deleted unless ``keeps_pulls`` (the home was
        moved, not copied).
        """
        ...
