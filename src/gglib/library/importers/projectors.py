"""Matches the projectors (mmproj) of a directory to models by name. Pure.

Repositories name them ``mmproj-F16.gguf``, ``mmproj-model-f16.gguf`` or ``mmproj-<model>-Q8_0.gguf``. The first form
does not name its model: it matches only if all files in the directory are quantizations of one model. A wrong projector
prevents a model from loading, so an ambiguous match yields none.
"""

from collections.abc import Sequence

from gglib.core.gguf_names import stem_of
from gglib.core.hub.quantizations import folded, label_of

_MARK = "mmproj"
_GENERIC = frozenset(("", "model", "ggmlmodel"))
_BEST_FIRST = ("F16", "BF16", "Q8_0", "F32")
"""As for a pull: projectors are tested in half precision."""


def projector_for(model: str, models: Sequence[str], projectors: Sequence[str]) -> str | None:
    """Return the one of ``projectors`` that belongs to ``model``; ``models`` are all models in the directory."""
    core = _core(model)
    own = [
        name for name in projectors if (own_core := _core(name)) not in _GENERIC and _is_same(own_core, core)
    ]
    if not own and len({_core(name) for name in models}) == 1:
        own = [name for name in projectors if _core(name) in _GENERIC]
    return min(own, key=_rank, default=None)


def _core(name: str) -> str:
    """Return a name without its quantization, its shard number and ``mmproj``."""
    stem = stem_of(name)
    label = label_of(stem)
    core = folded(stem).replace(_MARK, "")
    return core if label is None else core.replace(folded(label), "")


def _is_same(core: str, other: str) -> bool:
    return core.startswith(other) or other.startswith(core)


def _rank(name: str) -> tuple[int, str]:
    label = label_of(stem_of(name)) or ""
    return (_BEST_FIRST.index(label) if label in _BEST_FIRST else len(_BEST_FIRST), name)
