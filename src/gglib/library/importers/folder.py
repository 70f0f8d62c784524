"""Finds the models in a folder: every GGUF file, shards grouped, with the projector in the model's directory."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from gglib.core.gguf_names import FileKind, kind_of, shard_of
from gglib.library.importers.candidates import Candidate
from gglib.library.importers.projectors import projector_for
from gglib.library.importers.walk import walk

Describe = Callable[[Path], Candidate]
"""Returns the candidate for a file, with the metadata of its source."""


def find_in_folder(root: Path, describe: Describe | None = None) -> Iterator[Candidate]:
    """Yield the candidates in ``root`` and below."""
    found = walk(root)
    for _, files in found.directories:
        yield from candidates_of(files, describe or _described)
    yield from found.faults


def candidates_of(files: Sequence[Path], describe: Describe) -> Iterator[Candidate]:
    """Yield the models among the files of one directory; shards and projectors are part of their models."""
    projectors = [path for path in files if kind_of(path.name) is FileKind.PROJECTOR]
    models = [path for path in files if path not in projectors and not _goes_with_first(path, files)]
    taken: set[str] = set()
    for path in models:
        candidate = describe(path)
        name = projector_for(path.name, [m.name for m in models], [p.name for p in projectors])
        if _is_later_shard(path):
            candidate = replace(
                candidate, fault="it is a later shard, and the first shard is not in the same directory"
            )
        elif name is not None:
            taken.add(name)
            candidate = replace(candidate, projector=path.with_name(name))
        yield candidate
    for path in projectors:
        if not taken:
            yield replace(
                describe(path), fault="it is a projector (mmproj), and its directory has no model for it"
            )


def _described(path: Path) -> Candidate:
    return Candidate(path=path)


def _is_later_shard(path: Path) -> bool:
    shard = shard_of(path.name)
    return shard is not None and shard.number > 1


def _goes_with_first(path: Path, files: Sequence[Path]) -> bool:
    shard = shard_of(path.name)
    if shard is None or shard.number == 1:
        return False
    return path.with_name(f"{shard.stem}-00001-of-{shard.count:05}.gguf") in files
