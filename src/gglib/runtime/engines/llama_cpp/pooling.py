"""Launch options for embedding and rerank models. Pure.

Behaviour of llama.cpp b11549, seen with its wheel and its binary: reranking needs embeddings on *and* ``rank`` pooling.
A single-batch input longer than the physical batch is refused ("input (N tokens) is too large to process. increase the
physical batch size"), whatever the context. With ``last`` pooling, inputs are split.
"""

from dataclasses import dataclass

from gglib.core.kinds import is_single_batch
from gglib.core.models import Pooling
from gglib.runtime.engines.llama_cpp.launch_plan import LaunchPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolingLaunch:
    """The additional options of an embedding or rerank launch."""

    pooling: Pooling | None
    """None: as in the model's GGUF header."""
    batch: int | None
    """Logical and physical batch size in tokens, enough for any input within the context. None: the default."""


def pooling_launch(plan: LaunchPlan) -> PoolingLaunch | None:
    """Return the options for an embedding or rerank model; None for a chat model."""
    spec = plan.spec
    if not (spec.capabilities.embedding or spec.capabilities.rerank):
        return None
    pooling = "rank" if spec.capabilities.rerank else spec.pooling
    return PoolingLaunch(
        pooling=pooling, batch=plan.context if is_single_batch(spec.capabilities, pooling) else None
    )
