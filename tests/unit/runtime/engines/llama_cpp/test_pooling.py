"""Launch options for embedding and rerank models."""

from pathlib import Path

import pytest

from gglib.core.models import ModelCapabilities, ModelLaunchSpec, Pooling
from gglib.runtime.engines.llama_cpp.launch_plan import LaunchPlan
from gglib.runtime.engines.llama_cpp.pooling import PoolingLaunch, pooling_launch

CONTEXT = 4096
CHAT = ModelCapabilities(chat=True)
EMBEDDING = ModelCapabilities(embedding=True)
RERANK = ModelCapabilities(rerank=True)


def options(capabilities: ModelCapabilities, pooling: Pooling | None) -> PoolingLaunch | None:
    """Return the options for a launch with 4,096 tokens of context."""
    spec = ModelLaunchSpec(
        model_id=1, model_name="m", path=Path("/m.gguf"), capabilities=capabilities, pooling=pooling
    )
    plan = LaunchPlan(
        spec=spec,
        context=CONTEXT,
        slots=2,
        cache_ram_mib=0,
        ping_s=-1,
        key_file=Path("/key"),
        plan_file=Path("/plan"),
        socket_path=None,
    )
    return pooling_launch(plan)


@pytest.mark.parametrize(
    ("capabilities", "pooling", "expected"),
    [
        (CHAT, None, None),
        (CHAT, "mean", None),
        (EMBEDDING, "mean", PoolingLaunch(pooling="mean", batch=CONTEXT)),
        (EMBEDDING, None, PoolingLaunch(pooling=None, batch=CONTEXT)),
        (EMBEDDING, "last", PoolingLaunch(pooling="last", batch=None)),
        (RERANK, None, PoolingLaunch(pooling="rank", batch=CONTEXT)),
        (RERANK, "last", PoolingLaunch(pooling="rank", batch=CONTEXT)),
    ],
)
def test_an_input_of_the_whole_context_fits_into_one_batch(
    capabilities: ModelCapabilities, pooling: Pooling | None, expected: PoolingLaunch | None
) -> None:
    """A reranker always pools ranks; with ``last`` pooling the engine splits inputs; a chat model needs nothing."""
    assert options(capabilities, pooling) == expected
