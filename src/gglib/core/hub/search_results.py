"""What a search of a hub found, as one machine sees it. Values only."""

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
    """One model of a repository, as this machine sees it."""

    variant: Variant
    need: MemoryNeed
    """With so many slots."""
    fit: Fit
    slots: int
    """How many requests it would answer at a time in the memory that is free."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileResult:
    """One file of a repository."""

    file: HubFile
    kind: FileKind
    result: VariantResult | None
    """The model that it belongs to, or is."""
    is_unsafe: bool
    """Whether its name must not become one on this machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryResult:
    """A repository with its variants, smallest first."""

    repository: HubRepository
    variants: Variants
    """All that it has, also what was left out for its size."""
    results: tuple[VariantResult, ...]
    suggested: Variant | None
    """What gglib would take of what is shown; None where the user has to choose, or nothing fits."""
    memory: MachineMemory
    """What was judged against."""
    context: int
    """In tokens, for which memory was judged."""
    architecture: str | None
    parameter_count: int | None
    trained_context: int | None
    asked_revision: str | None = None
    """The branch, tag or commit that was asked for, which belongs to what is typed to pull."""

    def files(self) -> tuple[FileResult, ...]:
        """Return every file: models first, smallest first and in shard order, then the rest by name."""
        of_models = [(file, result) for result in self.results for file in result.variant.files]
        names = {file.name for file, _ in of_models}
        rest = [file for file in self.repository.files if file.name not in names]
        return (
            *(_file_result(file, result) for file, result in of_models),
            *(_file_result(file, None) for file in sorted(rest, key=lambda file: file.name)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchResult:
    """What a search brought."""

    repositories: tuple[RepositoryResult, ...]
    """Best first."""
    memory: MachineMemory
    left_out: int
    """Repositories that the hub found and that have nothing to pull, or nothing of the size."""
    too_large: int = 0
    """Those of ``left_out`` that have models, but none of the size."""
    searched: int | None = None
    """Set where the search ended with fewer than wanted after so many of the best; the hub may have more."""


def is_safe(name: str, rule: Callable[[str], PurePosixPath]) -> bool:
    """Whether ``rule`` lets a name of the hub become one on this machine."""
    try:
        rule(name)
    except UnsafeNameError:
        return False
    return True


def _file_result(file: HubFile, result: VariantResult | None) -> FileResult:
    return FileResult(
        file=file, kind=kind_of(file.name), result=result, is_unsafe=not is_safe(file.name, safe_path)
    )
