"""What is known of the files that gglib wrote: versions, and pulls that have not ended.

Each method that changes something is one transaction, durable when it returns. Failures are a ``CatalogError``.
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
        """Return every version, retired ones included, in the order in which they were entered."""
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
        """Record a version and move a model's row to it; forget the pull ``job_key`` in the same transaction.

        ``updates`` is the id of the model that gets the version: it keeps its id, name, tags, settings, dates and
        aliases, and gets those aliases of ``model`` that are free. With None, or where that model is gone, the row is
        new. The version that the row had before is retired where no other row has it.

        ``moved_aliases`` are taken, before any name is looked at, from the models that have these ids; an alias that
        such a model does not have any more is passed over.

        A version that is known already (the same directory; without one, the same files) keeps its id and gets these
        files; it is not retired any more. Raises ``ModelExistsError`` where a new row's name is taken, or another model
        has one of the paths; ``ValueError`` where the model's paths are not the version's model files in order.
        """
        ...

    async def add_version(self, version: NewVersion) -> Version:
        """Record a version that no model has yet: a home of an older gglib, or a manifest that was found.

        One that is known already (see ``install_version``) is returned as it is.
        """
        ...

    async def assign_version(self, model_id: int, version_id: int) -> ModelSummary | None:
        """Record that a model has a version whose files its row names already; it is not retired any more.

        Nothing changes where the version is gone, where the row's first file is none of its files, or where the model
        has another version: then the model is returned as it is. None where the model is gone.
        """
        ...

    async def retire_unused(self, version_ids: Collection[int]) -> list[Version]:
        """Retire those of the versions that no model has; return them."""
        ...

    async def remove_with_version(self, model_id: int) -> tuple[ModelSummary, Version | None] | None:
        """Forget a model, and retire its version where no other model has it; return both as they were.

        None where the model is gone; no version where the model has none, or shares it.
        """
        ...

    async def forget_files(self, version_id: int, paths: Sequence[Path]) -> None:
        """Forget files of a retired version that are deleted, and the version with the last of them."""
        ...

    async def update_identities(self, identities: Mapping[Path, FileIdentity]) -> None:
        """Record how files are known now, by their paths: after a move of the home, or once their hash was seen."""
        ...

    async def begin_pull(self, job: PullJob) -> None:
        """Record a pull before its first byte, in the place of an older record of its key."""
        ...

    async def list_pulls(self) -> list[PullJob]:
        """Return the pulls that have not ended, by name."""
        ...

    async def end_pull(self, key: str) -> None:
        """Forget a pull; nothing where it is forgotten already."""
        ...

    async def read_home(self) -> HomeIdentity | None:
        """Return what the catalogue was last used as; None before the first time."""
        ...

    async def record_home(
        self, identity: HomeIdentity, *, resets_identities: bool, keeps_pulls: bool = False
    ) -> None:
        """Record the home's identity.

        ``resets_identities``: it is a copy, or was moved to another file system. Then no device and no inode that was
        recorded means anything: they are set to None, and the pulls that have not ended are forgotten, unless
        ``keeps_pulls``: it was moved.
        """
        ...
