"""The response types of gglib's own API and of ``--json``. Values only.

The JSON encoding, the OpenAPI document and its page derive from these types; every response has all fields of its type.
Times are Unix seconds, sizes are bytes. Text from a hub, and file names that gglib does not use, are passed
through ``file_names.shown``, which escapes unprintable characters.
"""

from dataclasses import asdict, dataclass, fields, replace
from typing import Annotated, Any, Literal, Self

from msgspec import Meta

from gglib.core import profiles
from gglib.core.file_names import shown
from gglib.core.gguf_names import FileKind
from gglib.core.hub import downloads, search_results
from gglib.core.hub.downloads import DownloadState
from gglib.core.hub.repository import Gating, HubFile
from gglib.core.hub.shown_source import shown_target, shown_url
from gglib.core.memory import Fit, MachineMemory, MemoryNeed
from gglib.core.models import ModelSource, ModelSummary, RunningTarget
from gglib.core.ports import library
from gglib.core.ports.reload import ReloadResult
from gglib.core.runtime.events import (
    ModelLoadFailed,
    ModelLoading,
    ModelReady,
    ModelStopping,
    ModelUnloaded,
    RequestQueued,
    RuntimeEvent,
    SwapFinished,
)
from gglib.core.runtime.status import (
    LoadCount,
    ResidentStatus,
    RuntimeStatus,
    SwapCount,
    SwapStatus,
    WaitingStatus,
)

Bytes = Annotated[int, Meta(ge=0)]
Count = Annotated[int, Meta(ge=0)]
Sha256 = Annotated[str | None, Meta(description="SHA-256 of the content, in hexadecimal.")]
UnixTime = Annotated[int, Meta(description="Unix time in seconds.")]
OptionalUnixTime = Annotated[int | None, Meta(description="Unix time in seconds.")]
Tokens = Annotated[int | None, Meta(description="In tokens.")]
Commit = Annotated[str | None, Meta(description="The commit.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """The server responds."""

    status: Literal["ok"] = "ok"


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorDetail:
    """OpenAI's error object."""

    message: str
    type: str
    param: str | None
    code: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Error:
    """An error response."""

    error: ErrorDetail


# --- models ---


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Origin of a model's files; all fields are null for files that the user added."""

    origin: str | None
    repo: str | None
    revision: Commit
    asked_revision: Annotated[
        str | None, Meta(description="The requested branch, tag or commit; null: the latest.")
    ]
    url: Annotated[str | None, Meta(description="The URL without its query, which may contain a signature.")]
    file: str | None
    sha256: Sha256

    @classmethod
    def of(cls, source: ModelSource) -> Self:
        """Return the JSON form of a source."""
        return cls(
            origin=source.origin,
            repo=source.repo,
            revision=source.revision,
            asked_revision=source.asked_revision,
            url=shown_url(source),
            file=source.file,
            sha256=source.sha256,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model of the catalogue."""

    id: int
    name: str
    aliases: tuple[str, ...]
    description: str
    architecture: str | None
    parameter_count: int | None
    quantization: str | None
    size_bytes: Bytes | None
    trained_context: Tokens
    context: Annotated[
        int | None, Meta(description="The model's own setting, in tokens; null: the default applies.")
    ]
    idle_ttl_s: float | None
    kind: Annotated[
        str | None,
        Meta(
            description="How it is served: `chat`, `embedding` or `rerank`; null: determined from its header."
        ),
    ]
    is_pinned: Annotated[bool, Meta(description="Whether it stays in memory once it is loaded.")]
    priority: Annotated[
        str | None,
        Meta(description="Priority of its requests: `interactive` or `batch`; null: the default applies."),
    ]
    capabilities: Annotated[tuple[str, ...], Meta(description="Capabilities of the model as it is served.")]
    tags: tuple[str, ...]
    state: Annotated[
        str | None,
        Meta(description="`loading`, `ready`, `draining` or `stopping`; null if not in memory."),
    ]
    paths: Annotated[
        tuple[str, ...] | None,
        Meta(description="All files, in shard order; null for callers without admin rights."),
    ]
    hashes: tuple[Sha256, ...]
    source: Source
    projector: Annotated[
        str | None, Meta(description="Path of its mmproj; null for callers without admin rights.")
    ]
    projector_sha256: Sha256
    engine_args: Annotated[
        tuple[str, ...] | None,
        Meta(description="Set on the server's machine only; null for callers without admin rights."),
    ]
    is_downloaded: Annotated[
        bool, Meta(description="Whether gglib downloaded the files and may delete them.")
    ]
    chat_template_sha256: Sha256
    added_at: UnixTime
    last_used_at: Annotated[
        int | None,
        Meta(description="Unix time in seconds; null if unused, and for callers without admin rights."),
    ]

    @classmethod
    def of(cls, model: ModelSummary, state: str | None, *, is_for_admin: bool = True) -> Self:
        """Return the JSON form of a model. ``state`` is None without a server or if the model is not in memory.

        Paths, the engine arguments and the time of the last use are None unless it is for an admin.
        """
        return cls(
            id=model.id,
            name=model.name,
            aliases=model.aliases,
            description=model.description,
            architecture=model.architecture,
            parameter_count=model.parameter_count,
            quantization=model.quantization,
            size_bytes=model.size_bytes,
            trained_context=model.trained_context,
            context=model.settings.context,
            idle_ttl_s=model.settings.idle_ttl_s,
            kind=model.settings.kind,
            is_pinned=model.settings.is_pinned,
            priority=None if model.settings.priority is None else model.settings.priority.name.lower(),
            capabilities=tuple(model.capabilities.names()),
            tags=model.tags,
            state=state,
            paths=tuple(map(str, model.paths)) if is_for_admin else None,
            hashes=model.hashes,
            source=Source.of(model.source),
            projector=str(model.projector) if is_for_admin and model.projector is not None else None,
            projector_sha256=model.projector_sha256,
            engine_args=model.settings.engine_args if is_for_admin else None,
            is_downloaded=model.is_downloaded,
            chat_template_sha256=model.chat_template_sha256,
            added_at=model.added_at,
            last_used_at=model.last_used_at if is_for_admin else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Models:
    """The catalogue."""

    models: Annotated[tuple[Model, ...], Meta(description="In the order in which they were added.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedModel:
    """A model that is ready for requests."""

    model_id: int
    model_name: str
    effective_ctx: Annotated[int, Meta(description="Context of each request, in tokens.")]

    @classmethod
    def of(cls, target: RunningTarget) -> Self:
        """Return the JSON form of a target, without its address."""
        return cls(model_id=target.model_id, model_name=target.model_name, effective_ctx=target.effective_ctx)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptFile:
    """A file that was not deleted."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovedModel:
    """A removed model and its files."""

    removed: Model
    deleted: Annotated[tuple[str, ...], Meta(description="Paths of the deleted files.")]
    freed_bytes: Bytes
    kept: Annotated[tuple[KeptFile, ...], Meta(description="Files that were not deleted.")]

    @classmethod
    def of(cls, removed: library.RemovedModel, state: str | None) -> Self:
        """Return the JSON form of a removal."""
        return cls(
            removed=Model.of(removed.model, state),
            deleted=tuple(map(str, removed.deleted)),
            freed_bytes=removed.freed_bytes,
            kept=tuple(KeptFile(path=str(path), reason=reason) for path, reason in removed.kept),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Defaults for the fields that a request for `MODEL:PROFILE` does not set."""

    name: str
    model: Annotated[str | None, Meta(description="Name of its model; null: it belongs to all models.")]
    description: str
    system: Annotated[str | None, Meta(description="System prompt of requests without one.")]
    defaults: Annotated[dict[str, Any], Meta(description="Values of request fields, by name.")]
    template_kwargs: Annotated[
        dict[str, Any], Meta(description="Members of `chat_template_kwargs`, by name.")
    ]
    strip: Annotated[tuple[str, ...], Meta(description="Fields that are removed from requests.")]

    @classmethod
    def of(cls, profile: profiles.Profile, model_name: str | None) -> Self:
        """Return the JSON form of a profile. ``model_name`` is None for a profile of all models."""
        return cls(
            name=profile.name,
            model=model_name,
            description=profile.description,
            system=profile.system,
            defaults=dict(profile.defaults),
            template_kwargs=dict(profile.template_kwargs),
            strip=profile.strip,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Profiles:
    """All profiles."""

    profiles: Annotated[tuple[Profile, ...], Meta(description="In the order in which they were added.")]


# --- hub ---


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file of a repository."""

    name: str
    size_bytes: Bytes
    sha256: Sha256

    @classmethod
    def of(cls, file: HubFile) -> Self:
        """Return the JSON form of a file."""
        return cls(name=file.name, size_bytes=file.size_bytes, sha256=file.sha256)


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """Estimated memory of a model."""

    weights_bytes: Bytes
    kv_bytes: Bytes
    compute_bytes: Bytes
    overhead_bytes: Bytes
    left_behind_bytes: Bytes
    is_exact: Annotated[
        bool,
        Meta(
            description="Whether the model's architecture was read from a file header; otherwise it is estimated."
        ),
    ]
    total_bytes: Bytes

    @classmethod
    def of(cls, need: MemoryNeed) -> Self:
        """Return the JSON form of an estimate."""
        return cls(**{field.name: getattr(need, field.name) for field in fields(cls)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """The memory of a GPU."""

    name: str
    total_bytes: Bytes
    free_bytes: Bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """The memory of this machine."""

    total_bytes: Bytes | None
    available_bytes: Bytes | None
    gpus: tuple[Gpu, ...]

    @classmethod
    def of(cls, memory: MachineMemory) -> Self:
        """Return the JSON form of the machine's memory."""
        return cls(
            total_bytes=memory.total_bytes,
            available_bytes=memory.available_bytes,
            gpus=tuple(Gpu(**asdict(gpu)) for gpu in memory.gpus),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One model of a repository."""

    label: str
    pull: Annotated[str, Meta(description="The `target` of this model for `POST /gglib/downloads`.")]
    quantization: str | None
    size_bytes: Bytes
    fit: Annotated[Fit, Meta(description="Whether it fits this machine now.")]
    slots: Annotated[int, Meta(ge=1, description="Number of requests that it would serve at a time.")]
    need: Need
    files: Annotated[tuple[File, ...], Meta(description="In shard order.")]

    @classmethod
    def of(cls, result: search_results.VariantResult, repo: str, revision: str | None) -> Self:
        """Return the JSON form of a variant."""
        return cls(
            label=result.variant.label,
            pull=result.variant.target(repo, revision),
            quantization=result.variant.quantization,
            size_bytes=result.variant.size_bytes,
            fit=result.fit,
            slots=result.slots,
            need=Need.of(result.need),
            files=tuple(map(File.of, result.variant.files)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """A repository of the hub, with the fit of its models on this machine."""

    repo: Annotated[str, Meta(description="`owner/name`.")]
    revision: Annotated[str, Meta(description="The commit.")]
    downloads: Count
    likes: Count
    updated_at: OptionalUnixTime
    licence: str | None
    gate: Gating
    tags: tuple[str, ...]
    architecture: str | None
    parameter_count: int | None
    trained_context: Tokens
    context: Annotated[int, Meta(description="Context for the memory estimate, in tokens.")]
    suggested: Annotated[str | None, Meta(description="Label of the model that gglib would pull.")]
    variants: Annotated[tuple[Variant, ...], Meta(description="Smallest first.")]
    projectors: tuple[File, ...]
    incomplete: Annotated[tuple[str, ...], Meta(description="Models with missing shards.")]
    pieces: tuple[str, ...]
    unsafe: Annotated[
        tuple[str, ...], Meta(description="File names that gglib does not use on this machine.")
    ]

    @classmethod
    def of(cls, result: search_results.RepositoryResult) -> Self:
        """Return the JSON form of a repository."""
        return cls(**_repository_fields(result))


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownFile:
    """A file in the details of a repository."""

    name: str
    size_bytes: Bytes
    sha256: Sha256
    kind: FileKind
    label: Annotated[str | None, Meta(description="Label of the variant that the file belongs to.")]
    unsafe: bool

    @classmethod
    def of(cls, file_result: search_results.FileResult) -> Self:
        """Return the JSON form of a file."""
        return cls(
            name=shown(file_result.file.name) if file_result.is_unsafe else file_result.file.name,
            size_bytes=file_result.file.size_bytes,
            sha256=file_result.file.sha256,
            kind=file_result.kind,
            label=file_result.result.variant.label if file_result.result else None,
            unsafe=file_result.is_unsafe,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownRepository(Repository):
    """A repository with all its files."""

    memory: Memory
    files: tuple[ShownFile, ...]

    @classmethod
    def of(cls, result: search_results.RepositoryResult) -> Self:
        """Return the JSON form of a repository."""
        files = tuple(map(ShownFile.of, result.files()))
        return cls(**_repository_fields(result), memory=Memory.of(result.memory), files=files)


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchResult:
    """The result of a search."""

    query: str
    memory: Memory
    repositories: Annotated[tuple[Repository, ...], Meta(description="Best first.")]
    left_out: Annotated[
        int,
        Meta(
            ge=0,
            description="Number of omitted repositories: without a model to pull, or none within `max_size`.",
        ),
    ]

    @classmethod
    def of(cls, result: search_results.SearchResult, query: str) -> Self:
        """Return the JSON form of a search result, with the memory used for the fits."""
        return cls(
            query=query,
            memory=Memory.of(result.memory),
            repositories=tuple(map(Repository.of, result.repositories)),
            left_out=result.left_out,
        )


def _repository_fields(result: search_results.RepositoryResult) -> dict[str, Any]:
    repository = result.repository
    return {
        "repo": repository.repo,
        "revision": shown(repository.revision),
        "downloads": repository.downloads,
        "likes": repository.likes,
        "updated_at": repository.updated_at,
        "licence": repository.licence and shown(repository.licence),
        "gate": repository.gate,
        "tags": tuple(map(shown, repository.tags)),
        "architecture": result.architecture and shown(result.architecture),
        "parameter_count": result.parameter_count,
        "trained_context": result.trained_context,
        "context": result.context,
        "suggested": result.suggested.label if result.suggested else None,
        "variants": tuple(
            Variant.of(variant, repository.repo, result.asked_revision) for variant in result.results
        ),
        "projectors": tuple(map(File.of, result.variants.projectors)),
        "incomplete": result.variants.incomplete,
        "pieces": result.variants.pieces,
        "unsafe": tuple(map(shown, result.variants.unsafe)),
    }


# --- downloads ---


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadError:
    """The error of a failed download."""

    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """A download of this server."""

    id: str
    target: Annotated[str, Meta(description="The requested target; a URL without its query.")]
    state: DownloadState
    model_name: Annotated[str | None, Meta(description="Name of the model; null until it is complete.")]
    file: Annotated[str | None, Meta(description="The current file.")]
    phase: Annotated[
        str | None,
        Meta(
            description="`waiting` (another process downloads the same), `downloading`, `verifying` or `adding`; "
            "null before the start."
        ),
    ]
    done_bytes: Annotated[int, Meta(ge=0, description="Of all files together.")]
    total_bytes: Annotated[Bytes | None, Meta(description="Of all files together; null if unknown.")]
    bytes_per_s: Annotated[Count | None, Meta(description="Over the last seconds; null without progress.")]
    left_s: Annotated[Count | None, Meta(description="Remaining time at this speed, in seconds.")]
    error: Annotated[
        DownloadError | None,
        Meta(description="Error of a failed download, with the codes of error responses; else null."),
    ]
    created_at: UnixTime
    started_at: OptionalUnixTime
    ended_at: OptionalUnixTime

    @classmethod
    def of(cls, download: downloads.Download) -> Self:
        """Return the JSON form of a download."""
        error = None
        if download.error_code is not None:
            error = DownloadError(code=download.error_code, message=download.error_message or "")
        left_s = None
        if download.bytes_per_s and download.total_bytes is not None:
            left_s = max(0, download.total_bytes - download.done_bytes) // download.bytes_per_s
        return cls(
            id=download.id,
            target=shown_target(download.target),
            state=download.state,
            model_name=download.model_name,
            file=download.file,
            phase=download.phase,
            done_bytes=download.done_bytes,
            total_bytes=download.total_bytes,
            bytes_per_s=download.bytes_per_s,
            left_s=left_s,
            error=error,
            created_at=download.created_at,
            started_at=download.started_at,
            ended_at=download.ended_at,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Downloads:
    """The downloads of this server."""

    downloads: Annotated[tuple[Download, ...], Meta(description="Newest last.")]


# --- runtime ---


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedModel:
    """A model whose last load failed, or whose engine crashed too often."""

    model_name: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Models in memory, waiting requests, the last swap, and counts since the start."""

    version: str
    residents: tuple[ResidentStatus, ...]
    waiting: tuple[WaitingStatus, ...]
    failed: tuple[FailedModel, ...]
    last_swap: SwapStatus | None
    swaps: tuple[SwapCount, ...]
    loads: tuple[LoadCount, ...]
    limits: Annotated[
        dict[str, Bytes],
        Meta(description="Memory budget of all models together, by device; empty if memory is not limited."),
    ]
    used: Annotated[
        dict[str, Bytes], Meta(description="Sum of the sizes of the models in memory, by device.")
    ]
    hint: Annotated[
        str | None, Meta(description="How two models that were swapped repeatedly could both stay.")
    ]

    @classmethod
    def of(cls, status: RuntimeStatus, version: str) -> Self:
        """Return the JSON form of a status."""
        return cls(
            version=version,
            residents=tuple(replace(resident, size=dict(resident.size)) for resident in status.residents),
            waiting=status.waiting,
            failed=tuple(FailedModel(model_name=name, reason=reason) for name, reason in status.failed),
            last_swap=status.last_swap,
            swaps=status.swaps,
            loads=status.loads,
            limits=dict(status.limits),
            used=status.used,
            hint=status.hint,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """The unloaded models."""

    stopped: Annotated[tuple[str, ...], Meta(description="Names of the models that were in memory.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingChange:
    """A setting whose value differs from that of the running server."""

    setting: Annotated[str, Meta(description="Its name in `config.toml`.")]
    old: Annotated[str | None, Meta(description="The value in use before; null for access keys.")]
    new: Annotated[str | None, Meta(description="The value now; null for access keys.")]
    applied: Annotated[bool, Meta(description="False: it takes effect at the next start of the server.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reloaded:
    """What a reload changed."""

    settings: tuple[SettingChange, ...]
    replaced_models: Annotated[
        tuple[str, ...],
        Meta(description="Models in memory whose options changed: unloaded after their requests."),
    ]
    warnings: tuple[str, ...]

    @classmethod
    def of(cls, result: ReloadResult) -> Self:
        """Return the JSON form of a result."""
        return cls(
            settings=tuple(
                SettingChange(
                    setting=change.setting, old=change.old, new=change.new, applied=change.is_applied
                )
                for change in result.changes
            ),
            replaced_models=result.replaced_models,
            warnings=result.warnings,
        )


EVENT_NAMES: dict[type[RuntimeEvent], str] = {
    ModelLoading: "loading",
    ModelReady: "ready",
    ModelLoadFailed: "load_failed",
    ModelStopping: "stopping",
    ModelUnloaded: "gone",
    RequestQueued: "queued",
    SwapFinished: "swap",
}
"""The name of each event in ``GET /gglib/events``."""
