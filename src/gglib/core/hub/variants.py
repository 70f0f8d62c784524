"""The variants of a model in a repository: its quantizations. Values only; sizes in bytes."""

from dataclasses import dataclass

from gglib.core.gguf_names import stem_of
from gglib.core.hub.repository import HubFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One loadable model of a repository: a single file, or all of its shards."""

    quantization: str | None
    """The label in its file name; None if there is none."""
    files: tuple[HubFile, ...]
    """All files, in shard order."""
    is_unique: bool = True
    """Whether no other variant of the repository has its quantization."""

    @property
    def size_bytes(self) -> int:
        """Sum over all files."""
        return sum(file.size_bytes for file in self.files)

    @property
    def first(self) -> HubFile:
        """The first file: it has the header and is passed to the engine."""
        return self.files[0]

    @property
    def stem(self) -> str:
        """The path without shard number and ``.gguf``."""
        return stem_of(self.first.name)

    @property
    def label(self) -> str:
        """A label that is unique in the repository: its quantization, else its stem."""
        return self.quantization if self.quantization and self.is_unique else self.stem

    def target(self, repo: str, revision: str | None = None) -> str:
        """Return the pull target of this variant: ``REPO:QUANT``, else ``REPO/FILE``."""
        named = self.quantization and self.is_unique
        target = f"{repo}:{self.quantization}" if named else f"{repo}/{self.first.name}"
        return target if revision is None else f"{target}@{revision}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Variants:
    """The variants of a repository, and its files that belong to models but are none."""

    models: tuple[Variant, ...] = ()
    """Smallest first."""
    projectors: tuple[HubFile, ...] = ()
    incomplete: tuple[str, ...] = ()
    """Stems of models with missing shards."""
    pieces: tuple[str, ...] = ()
    """Names of byte-split pieces of a model, which no engine loads."""
    unsafe: tuple[str, ...] = ()
    """Names that must not be used on this machine; show them with ``file_names.shown`` only."""
