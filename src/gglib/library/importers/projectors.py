"""Which projector (mmproj) in a directory is a model's own, by the names alone. Pure.

Repositories call it ``mmproj-F16.gguf``, ``mmproj-model-f16.gguf`` or ``mmproj-<model>-Q8_0.gguf``. The first kind says
nothing of its model: it is one's own only where all models of the directory are one, differently quantized. A wrong
projector keeps a model from loading, so where it is not plain there is none.
"""

from collections.abc import Sequence

from gglib.core.gguf_names import stem_of
from gglib.core.hub.quantizations import folded, label_of

_MARK = "mmproj"
_SAYS_NOTHING = frozenset(("", "model", "ggmlmodel"))
_BEST_FIRST = ("F16", "BF16", "Q8_0", "F32")
"""As for a pull: half precision is what projectors are tested with."""


def projector_for(model: str, models: Sequence[str], projectors: Sequence[str]) -> str | None:
    """Return which of ``projectors`` goes with ``model``; ``models`` are all that lie beside them."""
    core = _core(model)
    own = [name for name in projectors if (its := _core(name)) not in _SAYS_NOTHING and _is_same(its, core)]
    if not own and len({_core(name) for name in models}) == 1:
        own = [name for name in projectors if _core(name) in _SAYS_NOTHING]
    return min(own, key=_rank, default=None)


def _core(name: str) -> str:
    """Return what a name says but for its quantization, its shard and that it is a projector."""
    stem = stem_of(name)
    label = label_of(stem)
    core = folded(stem).replace(_MARK, "")
    return core if label is None else core.replace(folded(label), "")


def _is_same(one: str, other: str) -> bool:
    return one.startswith(other) or other.startswith(one)


def _rank(name: str) -> tuple[int, str]:
    label = label_of(stem_of(name)) or ""
    return (_BEST_FIRST.index(label) if label in _BEST_FIRST else len(_BEST_FIRST), name)
