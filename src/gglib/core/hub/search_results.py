"""Results of a hub search, judged for one machine. Values only."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath

from gglib.core.errors import UnsafeNameError
from gglib.core.file_names import safe_path
from gglib.core.gguf_names import FileKind, kind_of
from gglib.core.hub.repository import HubFile, HubRepository
from gglib.core.hub.variants import Variant, Variants
from gglib.core.memory import Fit, MachineMemory, MemoryNeed


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantResult:
    """A variant and how it fits this machine."""

    variant: Variant
    need: MemoryNeed
    """Memory need with ``slots`` slots."""
    fit: Fit
    slots: int
    """How many requests it would serve concurrently in the free memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileResult:
    """One file of a repository."""

    file: HubFile
    kind: FileKind
    result: VariantResult | None
    """The variant that the file belongs to; None for other files."""
    is_unsafe: bool
    """Whether its name must not be used as a path on this machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryResult:
    """A repository with its variants, smallest first."""

    repository: HubRepository
    variants: Variants
    """Everything in the repository, including variants left out for their size."""
    results: tuple[VariantResult, ...]
    suggested: Variant | None
    """The variant that a pull without a quantization would choose among ``results``; None if the user has to choose,
    or nothing fits."""
    memory: MachineMemory
    """The memory that the fits were judged against."""
    context: int
    """The context in tokens that the needs were estimated for."""
    architecture: str | None
    parameter_count: int | None
    trained_context: int | None
    asked_revision: str | None = None
    """The requested branch, tag or commit; part of the pull target."""

    def files(self) -> tuple[FileResult, ...]:
        """Return every file: variants by size and in shard order, then the other files by name."""
        of_models = [(file, result) for result in self.results for file in result.variant.files]
        names = {file.name for file, _ in of_models}
        rest = [file for file in self.repository.files if file.name not in names]
        return (
            *(_file_result(file, result) for file, result in of_models),
            *(_file_result(file, None) for file in sorted(rest, key=lambda file: file.name)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchResult:
    """The result of a search."""

    repositories: tuple[RepositoryResult, ...]
    """Best first."""
    memory: MachineMemory
    left_out: int
    """Number of repositories found that have no model, or none within the size limit."""
    too_large: int = 0
    """Those of ``left_out`` that have models, but none within the size limit."""
    searched: int | None = None
    """How many repositories were searched; set if the search stopped with fewer results than requested, so the hub may
    have more."""


def is_safe(name: str, rule: Callable[[str], PurePosixPath]) -> bool:
    """Whether ``rule`` accepts a name from the hub as a path on this machine."""
    try:
        rule(name)
    except UnsafeNameError:
        return False
    return True


def _file_result(file: HubFile, result: VariantResult | None) -> FileResult:
    return FileResult(
        file=file, kind=kind_of(file.name), result=result, is_unsafe=not is_safe(file.name, safe_path)
    )
