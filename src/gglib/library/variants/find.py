"""Finds the variants in a repository by the names of its files. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from gglib.core.errors import UnsafeNameError
from gglib.core.file_names import safe_path
from gglib.core.gguf_names import FileKind, kind_of, shard_of
from gglib.core.hub.quantizations import folded, label_of
from gglib.core.hub.repository import HubFile
from gglib.core.hub.variants import Variant, Variants


def find_variants(files: Iterable[HubFile]) -> Variants:
    """Return the variants and other model files among the files of a repository."""
    ours, unsafe = _safe(file for file in files if kind_of(file.name) is not FileKind.OTHER)
    kinds = [(file, kind_of(file.name)) for file in ours]
    whole, incomplete = _group_shards(file for file, kind in kinds if kind is FileKind.SHARD)
    single = [(file,) for file, kind in kinds if kind is FileKind.MODEL]
    models = [Variant(quantization=label_of(group[0].name), files=group) for group in (*single, *whole)]
    models.sort(key=lambda variant: (variant.size_bytes, variant.first.name))
    return Variants(
        models=tuple(_mark_unique(models)),
        projectors=tuple(file for file, kind in kinds if kind is FileKind.PROJECTOR),
        incomplete=tuple(incomplete),
        pieces=tuple(file.name for file, kind in kinds if kind is FileKind.PIECE),
        unsafe=tuple(unsafe),
    )


def _safe(files: Iterable[HubFile]) -> tuple[list[HubFile], list[str]]:
    """Split the files into safe and unsafe names; of two names that differ in case only, the second is unsafe."""
    safe: dict[str, HubFile] = {}
    unsafe = []
    for file in sorted(files, key=lambda file: file.name):
        try:
            key = str(safe_path(file.name)).casefold()
        except UnsafeNameError:
            unsafe.append(file.name)
            continue
        if key in safe:
            unsafe.append(file.name)
        else:
            safe[key] = file
    return list(safe.values()), unsafe


def _group_shards(files: Iterable[HubFile]) -> tuple[list[tuple[HubFile, ...]], list[str]]:
    sets: dict[tuple[str, int], dict[int, HubFile]] = {}
    for file, shard in [(file, shard) for file in files if (shard := shard_of(file.name))]:
        sets.setdefault((shard.stem, shard.count), {})[shard.number] = file
    whole, incomplete = [], []
    for (stem, count), by_number in sets.items():
        if sorted(by_number) == list(range(1, count + 1)):
            whole.append(tuple(by_number[number] for number in sorted(by_number)))
        else:
            incomplete.append(stem)
    return whole, incomplete


def _mark_unique(models: Sequence[Variant]) -> Iterable[Variant]:
    many = Counter(folded(variant.quantization) for variant in models if variant.quantization)
    for variant in models:
        yield replace(
            variant, is_unique=variant.quantization is None or many[folded(variant.quantization)] == 1
        )
