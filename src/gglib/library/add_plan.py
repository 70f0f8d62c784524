"""Plans the adding of several files at once: which of them are one model, and which is whose projector. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from gglib.core.gguf_names import FileKind, kind_of, shard_of


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedModel:
    """A model to add."""

    path: Path
    """Its file, or one of its shards."""
    projector: Path | None = None
    """The projector that was named for it; None: it is looked for beside the model."""
    known_as: str | None = None
    """Its name, if the catalogue has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AddPlan:
    """What becomes of the files."""

    models: tuple[PlannedModel, ...]
    """In the order of the files."""
    projectors: tuple[Path, ...] = ()
    """Projectors that go to the models beside them."""


def plan_files(paths: Iterable[Path], known: Mapping[Path, str]) -> AddPlan:
    """Return the models of absolute paths; ``known`` are the names of models by each of their files.

    Shards of one model, and a file that is named twice, count once. One projector beside one model is that model's,
    wherever it is. Without a model, projectors are planned as models, and adding them fails with the reason.
    """
    files = list(dict.fromkeys(paths))
    projectors = [path for path in files if kind_of(path.name) is FileKind.PROJECTOR]
    if len(projectors) == len(files):
        projectors = []
    groups: dict[tuple[Path, int], Path] = {}
    for path in files:
        if path not in projectors:
            groups.setdefault(_model_key(path), path)
    own = projectors.pop() if len(groups) == len(projectors) == 1 else None
    models = tuple(
        PlannedModel(path=path, projector=own, known_as=known.get(path)) for path in groups.values()
    )
    return AddPlan(models=models, projectors=tuple(projectors))


def _model_key(path: Path) -> tuple[Path, int]:
    """Return what the shards of one model have in common, and their number: 1 for a whole file."""
    shard = shard_of(path.name)
    return (path, 1) if shard is None else (path.with_name(shard.stem), shard.count)
