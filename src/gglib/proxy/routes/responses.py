"""The answers of gglib's own API, and what the commands print with ``--json``. Values only.

Encoding, the OpenAPI document and its page follow from these types: every field that is here is in every answer. All
times are Unix seconds, all sizes bytes. What a hub says in words, and names that are not used on this machine, are
shown as ``file_names.shown`` does: nothing in them is unprintable.
"""

from dataclasses import asdict, dataclass, fields
from typing import Annotated, Any, Literal, Self

from msgspec import Meta

from gglib.core.file_names import shown
from gglib.core.gguf_names import FileKind
from gglib.core.hub import downloads, search_results
from gglib.core.hub.downloads import DownloadState
from gglib.core.hub.repository import Gating, HubFile
from gglib.core.hub.shown_source import shown_target, shown_url
from gglib.core.memory import Fit, MachineMemory, MemoryNeed
from gglib.core.models import ModelSource, ModelSummary
from gglib.core.ports import library
from gglib.core.runtime.events import (
    ModelGone,
    ModelLoadFailed,
    ModelLoading,
    ModelReady,
    ModelStopping,
    RequestQueued,
    RuntimeEvent,
    SwapOver,
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
Sha256 = Annotated[str | None, Meta(description="Of the content, in hexadecimal digits.")]
UnixTime = Annotated[int, Meta(description="Unix time in seconds.")]
PastTime = Annotated[int | None, Meta(description="Unix time in seconds.")]
Tokens = Annotated[int | None, Meta(description="In tokens.")]
Commit = Annotated[str | None, Meta(description="The commit.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """The server answers."""

    status: Literal["ok"] = "ok"


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorDetail:
    """What went wrong, in OpenAI's shape."""

    message: str
    type: str
    param: str | None
    code: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Error:
    """An error."""

    error: ErrorDetail


# --- models ---


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a model's files came from; everything is null for a file that the user had already."""

    origin: str | None
    repo: str | None
    revision: Commit
    asked_revision: Annotated[str | None, Meta(description="What was asked for by name; null: the newest.")]
    url: Annotated[str | None, Meta(description="The address, without its query, which may be a signature.")]
    file: str | None
    sha256: Sha256

    @classmethod
    def of(cls, source: ModelSource) -> Self:
        """Return the source as programs see it."""
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
        int | None, Meta(description="Its own setting, in tokens; null where the default holds.")
    ]
    idle_ttl_s: float | None
    kind: Annotated[
        str | None,
        Meta(description="What it is served as: `chat`, `embedding` or `rerank`; null: as its header says."),
    ]
    capabilities: Annotated[tuple[str, ...], Meta(description="What it can be asked for, as it is served.")]
    tags: tuple[str, ...]
    state: Annotated[
        str | None,
        Meta(description="`loading`, `ready`, `draining` or `stopping`; null when it is not in memory."),
    ]
    paths: Annotated[
        tuple[str, ...] | None,
        Meta(description="Every file, in shard order; null for callers that are not trusted."),
    ]
    hashes: tuple[Sha256, ...]
    source: Source
    projector: Annotated[
        str | None, Meta(description="The path of its mmproj; null for callers that are not trusted.")
    ]
    projector_sha256: Sha256
    is_downloaded: Annotated[bool, Meta(description="Whether gglib brought the files, and may delete them.")]
    chat_template_sha256: Sha256
    added_at: UnixTime
    last_used_at: PastTime

    @classmethod
    def of(cls, model: ModelSummary, state: str | None, *, shows_paths: bool = True) -> Self:
        """Return a model. ``state`` is None when no server runs or the model is not in memory.

        Without ``shows_paths`` no place of a file is shown: ``paths`` and ``projector`` are None.
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
            capabilities=tuple(model.capabilities.names()),
            tags=model.tags,
            state=state,
            paths=tuple(map(str, model.paths)) if shows_paths else None,
            hashes=model.hashes,
            source=Source.of(model.source),
            projector=str(model.projector) if shows_paths and model.projector is not None else None,
            projector_sha256=model.projector_sha256,
            is_downloaded=model.is_downloaded,
            chat_template_sha256=model.chat_template_sha256,
            added_at=model.added_at,
            last_used_at=model.last_used_at,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Models:
    """The catalogue."""

    models: Annotated[tuple[Model, ...], Meta(description="In the order in which they were added.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptFile:
    """A file that stays though it was to go."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovedModel:
    """What became of a model that was removed."""

    removed: Model
    deleted: Annotated[tuple[str, ...], Meta(description="Paths of the files that are gone.")]
    freed_bytes: Bytes
    kept: Annotated[tuple[KeptFile, ...], Meta(description="Files that stay though they were to go.")]

    @classmethod
    def of(cls, removed: library.RemovedModel, state: str | None) -> Self:
        """Return what became of a model."""
        return cls(
            removed=Model.of(removed.model, state),
            deleted=tuple(map(str, removed.deleted)),
            freed_bytes=removed.freed_bytes,
            kept=tuple(KeptFile(path=str(path), reason=reason) for path, reason in removed.kept),
        )


# --- what a hub has ---


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file of a repository."""

    name: str
    size_bytes: Bytes
    sha256: Sha256

    @classmethod
    def of(cls, file: HubFile) -> Self:
        """Return a file."""
        return cls(name=file.name, size_bytes=file.size_bytes, sha256=file.sha256)


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """The memory that a model takes."""

    weights_bytes: Bytes
    kv_bytes: Bytes
    compute_bytes: Bytes
    overhead_bytes: Bytes
    left_behind_bytes: Bytes
    is_exact: Annotated[
        bool,
        Meta(description="Whether the shape of the model was read from a file's header; else it is guessed."),
    ]
    total_bytes: Bytes

    @classmethod
    def of(cls, need: MemoryNeed) -> Self:
        """Return the memory that a model takes."""
        return cls(**{one.name: getattr(need, one.name) for one in fields(cls)})


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
        """Return the memory of this machine."""
        return cls(
            total_bytes=memory.total_bytes,
            available_bytes=memory.available_bytes,
            gpus=tuple(Gpu(**asdict(gpu)) for gpu in memory.gpus),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One model of a repository."""

    label: str
    pull: Annotated[str, Meta(description="The target that means exactly this in `POST /gglib/downloads`.")]
    quantization: str | None
    size_bytes: Bytes
    fit: Annotated[Fit, Meta(description="Whether this machine holds it now.")]
    slots: Annotated[int, Meta(ge=1, description="How many requests it would answer at a time.")]
    need: Need
    files: Annotated[tuple[File, ...], Meta(description="In shard order.")]

    @classmethod
    def of(cls, one: search_results.VariantResult, repo: str, revision: str | None) -> Self:
        """Return a variant of a repository."""
        return cls(
            label=one.variant.label,
            pull=one.variant.target(repo, revision),
            quantization=one.variant.quantization,
            size_bytes=one.variant.size_bytes,
            fit=one.fit,
            slots=one.slots,
            need=Need.of(one.need),
            files=tuple(map(File.of, one.variant.files)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """A repository of the hub, as this machine sees it."""

    repo: Annotated[str, Meta(description="`owner/name`.")]
    revision: Annotated[str, Meta(description="The commit.")]
    downloads: Count
    likes: Count
    updated_at: PastTime
    licence: str | None
    gate: Gating
    tags: tuple[str, ...]
    architecture: str | None
    parameter_count: int | None
    trained_context: Tokens
    context: Annotated[int, Meta(description="For which memory was judged, in tokens.")]
    suggested: Annotated[str | None, Meta(description="The label of what gglib would take.")]
    variants: Annotated[tuple[Variant, ...], Meta(description="Smallest first.")]
    projectors: tuple[File, ...]
    incomplete: Annotated[tuple[str, ...], Meta(description="Models of which a shard is missing.")]
    pieces: tuple[str, ...]
    unsafe: Annotated[tuple[str, ...], Meta(description="Names that are not used on this machine.")]

    @classmethod
    def of(cls, one: search_results.RepositoryResult) -> Self:
        """Return a repository."""
        return cls(**_repository_fields(one))


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownFile:
    """A file of a repository that is shown whole."""

    name: str
    size_bytes: Bytes
    sha256: Sha256
    kind: FileKind
    label: Annotated[str | None, Meta(description="Of the variant that it belongs to.")]
    unsafe: bool

    @classmethod
    def of(cls, one: search_results.FileResult) -> Self:
        """Return a file."""
        return cls(
            name=shown(one.file.name) if one.is_unsafe else one.file.name,
            size_bytes=one.file.size_bytes,
            sha256=one.file.sha256,
            kind=one.kind,
            label=one.result.variant.label if one.result else None,
            unsafe=one.is_unsafe,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownRepository(Repository):
    """A repository with all of its files."""

    memory: Memory
    files: tuple[ShownFile, ...]

    @classmethod
    def of(cls, one: search_results.RepositoryResult) -> Self:
        """Return a repository."""
        files = tuple(map(ShownFile.of, one.files()))
        return cls(**_repository_fields(one), memory=Memory.of(one.memory), files=files)


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchResult:
    """What a search found."""

    query: str
    memory: Memory
    repositories: Annotated[tuple[Repository, ...], Meta(description="Best first.")]
    left_out: Annotated[
        int, Meta(ge=0, description="Repositories that have nothing to pull, or nothing of the size.")
    ]

    @classmethod
    def of(cls, result: search_results.SearchResult, query: str) -> Self:
        """Return what a search found, with the memory that fits were judged against."""
        return cls(
            query=query,
            memory=Memory.of(result.memory),
            repositories=tuple(map(Repository.of, result.repositories)),
            left_out=result.left_out,
        )


def _repository_fields(one: search_results.RepositoryResult) -> dict[str, Any]:
    repository = one.repository
    return {
        "repo": repository.repo,
        "revision": shown(repository.revision),
        "downloads": repository.downloads,
        "likes": repository.likes,
        "updated_at": repository.updated_at,
        "licence": repository.licence and shown(repository.licence),
        "gate": repository.gate,
        "tags": tuple(map(shown, repository.tags)),
        "architecture": one.architecture and shown(one.architecture),
        "parameter_count": one.parameter_count,
        "trained_context": one.trained_context,
        "context": one.context,
        "suggested": one.suggested.label if one.suggested else None,
        "variants": tuple(
            Variant.of(variant, repository.repo, one.asked_revision) for variant in one.results
        ),
        "projectors": tuple(map(File.of, one.variants.projectors)),
        "incomplete": one.variants.incomplete,
        "pieces": one.variants.pieces,
        "unsafe": tuple(map(shown, one.variants.unsafe)),
    }


# --- downloads ---


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadError:
    """Why a download failed."""

    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """A download of this server."""

    id: str
    target: Annotated[str, Meta(description="What was asked for; an address without its query.")]
    state: DownloadState
    model_name: Annotated[str | None, Meta(description="What the model is called; null before it is done.")]
    file: Annotated[str | None, Meta(description="The file that is worked on.")]
    phase: Annotated[
        str | None,
        Meta(
            description="`waiting` (another one fetches the same), `downloading`, `verifying` or `adding`; null before "
            "it began."
        ),
    ]
    done_bytes: Annotated[int, Meta(ge=0, description="Of all files together.")]
    total_bytes: Annotated[
        Bytes | None, Meta(description="Of all files together; null where it is not known.")
    ]
    bytes_per_s: Annotated[
        Count | None, Meta(description="Over the last seconds; null where nothing is moving.")
    ]
    left_s: Annotated[Count | None, Meta(description="How long it takes at this speed.")]
    error: Annotated[
        DownloadError | None,
        Meta(description="Why it failed; the codes are those of errors. Null unless it did."),
    ]
    created_at: UnixTime
    started_at: PastTime
    ended_at: PastTime

    @classmethod
    def of(cls, download: downloads.Download) -> Self:
        """Return a download."""
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

    downloads: Annotated[tuple[Download, ...], Meta(description="The newest last.")]


# --- what runs ---


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedModel:
    """A model whose last load failed, or that died too often."""

    model_name: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What is in memory, which requests wait, the last swap, and counts since the start."""

    version: str
    residents: tuple[ResidentStatus, ...]
    waiting: tuple[WaitingStatus, ...]
    failed: tuple[FailedModel, ...]
    last_swap: SwapStatus | None
    swaps: tuple[SwapCount, ...]
    loads: tuple[LoadCount, ...]

    @classmethod
    def of(cls, status: RuntimeStatus, version: str) -> Self:
        """Return the status of a runtime."""
        return cls(
            version=version,
            residents=status.residents,
            waiting=status.waiting,
            failed=tuple(FailedModel(model_name=name, reason=reason) for name, reason in status.failed),
            last_swap=status.last_swap,
            swaps=status.swaps,
            loads=status.loads,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """What was unloaded."""

    stopped: Annotated[tuple[str, ...], Meta(description="The names of what was in memory.")]


EVENT_NAMES: dict[type[RuntimeEvent], str] = {
    ModelLoading: "loading",
    ModelReady: "ready",
    ModelLoadFailed: "load_failed",
    ModelStopping: "stopping",
    ModelGone: "gone",
    RequestQueued: "queued",
    SwapOver: "swap",
}
"""The name of each event in ``GET /gglib/events``."""
