"""Responses about repositories of the hub, and whether their models fit this machine. Values only."""

from dataclasses import asdict, dataclass, fields
from typing import Annotated, Any, Self

from msgspec import Meta

from gglib.core.file_names import shown
from gglib.core.gguf_names import FileKind
from gglib.core.hub import search_results
from gglib.core.hub.repository import Gating, HubFile
from gglib.core.memory import Fit, MachineMemory, MemoryNeed
from gglib.proxy.routes.responses.fields import (
    Bytes,
    Count,
    OptionalUnixTime,
    Sha256,
    Tokens,
)


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
    vendor: Annotated[str, Meta(description="Its maker: `NVIDIA`, `AMD`, `Intel`; empty: unknown.")]


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
