"""What an engine is launched with so that a model embeds or reranks. Pure.

Facts of llama.cpp b11549, seen with its wheel and its binary: ranks need embeddings on *and* the pooling ``rank``; an
input that is read whole and longer than the physical batch is refused ("input (N tokens) is too large to process.
increase the physical batch size"), whatever the context; a model that pools by its last token splits its inputs.
"""

from dataclasses import dataclass

from gglib.core.kinds import is_single_batch
from gglib.core.models import Pooling
from gglib.runtime.engines.base import LaunchPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolingLaunch:
    """What an embedding or rerank launch needs beyond a chat's."""

    pooling: Pooling | None
    """None: the engine goes by the header."""
    batch: int | None
    """Logical and physical batch size in tokens, so that each input within the context is accepted; None: as ever."""


def pooling_launch(plan: LaunchPlan) -> PoolingLaunch | None:
    """Return how to launch a model that embeds or reranks; None for one that chats."""
    spec = plan.spec
    if not (spec.capabilities.embedding or spec.capabilities.rerank):
        return None
    pooling = "rank" if spec.capabilities.rerank else spec.pooling
    return PoolingLaunch(
        pooling=pooling, batch=plan.context if is_single_batch(spec.capabilities, pooling) else None
    )
