"""The variants of a model in a repository. Values only; sizes in bytes."""

from dataclasses import dataclass

from gglib.core.gguf_names import stem_of
from gglib.core.hub.repository import HubFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One model of a repository: one file, or all shards of one."""

    quantization: str | None
    """As its name says it; None where it does not."""
    files: tuple[HubFile, ...]
    """In shard order, complete."""
    is_unique: bool = True
    """Whether no other variant of the repository has its quantization."""

    @property
    def size_bytes(self) -> int:
        """All files together."""
        return sum(file.size_bytes for file in self.files)

    @property
    def first(self) -> HubFile:
        """The file with the header, which an engine is given."""
        return self.files[0]

    @property
    def stem(self) -> str:
        """The path without the shard's number and without ``.gguf``."""
        return stem_of(self.first.name)

    @property
    def label(self) -> str:
        """What tells it from the other variants: its quantization, else its stem."""
        return self.quantization if self.quantization and self.is_unique else self.stem

    def target(self, repo: str, revision: str | None = None) -> str:
        """Return what a user types to mean this variant: ``REPO:QUANT``, else ``REPO/FILE``."""
        named = self.quantization and self.is_unique
        target = f"{repo}:{self.quantization}" if named else f"{repo}/{self.first.name}"
        return target if revision is None else f"{target}@{revision}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Variants:
    """The variants and other model files of a repository."""

    models: tuple[Variant, ...] = ()
    """Smallest first."""
    projectors: tuple[HubFile, ...] = ()
    incomplete: tuple[str, ...] = ()
    """Stems of models of which a shard is missing."""
    pieces: tuple[str, ...] = ()
    """Names of files that are plain pieces of a model, which no engine loads."""
    unsafe: tuple[str, ...] = ()
    """Names that are not used on this machine; to be shown with ``file_names.shown`` only."""
