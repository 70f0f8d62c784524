"""Responses about newer versions of models, and about first models. Values only."""

from dataclasses import dataclass
from typing import Annotated, Self

from msgspec import Meta

from gglib.core.file_names import shown
from gglib.core.hub import first_models, updates
from gglib.core.hub.updates import Upstream
from gglib.core.memory import Fit
from gglib.proxy.routes.responses.fields import Bytes, Commit, Sha256
from gglib.proxy.routes.responses.hub import Memory, Need


@dataclass(frozen=True, slots=True, kw_only=True)
class FileChange:
    """A file that changed at its source."""

    file: str
    old_sha256: Sha256
    new_sha256: Sha256
    new_size_bytes: Bytes | None

    @classmethod
    def of(cls, change: updates.FileChange) -> Self:
        """Return the JSON form of a change."""
        return cls(
            file=shown(change.name),
            old_sha256=change.old_sha256,
            new_sha256=change.new_sha256,
            new_size_bytes=change.new_size_bytes,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """A model compared with its source."""

    model_name: str
    repo: Annotated[str, Meta(description="The repository, or the URL without its query.")]
    state: Upstream
    old_revision: Commit
    new_revision: Commit
    pull: Annotated[
        str | None,
        Meta(
            description="The `target` of the newest files for `POST /gglib/downloads`; null for a URL with a query."
        ),
    ]
    size_bytes: Annotated[Bytes | None, Meta(description="Of the model as it is here.")]
    new_size_bytes: Annotated[Bytes | None, Meta(description="Of the changed files; null if unknown.")]
    changes: tuple[FileChange, ...]
    reason: Annotated[str | None, Meta(description="Why it is gone, pinned or unchecked.")]

    @classmethod
    def of(cls, check: updates.UpstreamCheck) -> Self:
        """Return the JSON form of a comparison."""
        return cls(
            model_name=check.model.name,
            repo=check.repo,
            state=check.state,
            old_revision=check.old_revision,
            new_revision=check.new_revision,
            pull=check.target,
            size_bytes=check.model.size_bytes,
            new_size_bytes=check.new_size_bytes,
            changes=tuple(map(FileChange.of, check.changes)),
            reason=check.reason,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Updates:
    """All models that have a source."""

    updates: tuple[Update, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstModel:
    """A known model of the hub."""

    title: str
    pull: Annotated[str, Meta(description="The `target` for `POST /gglib/downloads`.")]
    size_bytes: Bytes
    licence: str
    machine_gb: Annotated[int, Meta(description="Memory of a machine that it is meant for, in GB.")]
    fit: Annotated[Fit, Meta(description="Whether it fits this machine now.")]
    slots: Annotated[int, Meta(ge=1, description="Number of requests that it would serve at a time.")]
    need_bytes: Bytes
    need: Need

    @classmethod
    def of(cls, model: first_models.OfferedModel) -> Self:
        """Return the JSON form of a model."""
        return cls(
            title=model.title,
            pull=model.target,
            size_bytes=model.size_bytes,
            licence=model.licence,
            machine_gb=model.machine_gb,
            fit=model.fit,
            slots=model.slots,
            need_bytes=model.need.total_bytes,
            need=Need.of(model.need),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstModels:
    """Known models for a start."""

    memory: Memory
    date: Annotated[str, Meta(description="When the list was checked, as `YYYY-MM-DD`.")]
    recommended: Annotated[
        str | None,
        Meta(description="`pull` of the recommended one; null: none fits, or the hub is unreachable."),
    ]
    is_hub_reachable: bool
    models: Annotated[
        tuple[FirstModel, ...], Meta(description="Smallest first, without those that the hub has no more.")
    ]

    @classmethod
    def of(cls, found: first_models.FirstModelList) -> Self:
        """Return the JSON form of the list."""
        return cls(
            memory=Memory.of(found.memory),
            date=found.as_of.isoformat(),
            recommended=found.recommended,
            is_hub_reachable=found.is_hub_reachable,
            models=tuple(map(FirstModel.of, found.models)),
        )
