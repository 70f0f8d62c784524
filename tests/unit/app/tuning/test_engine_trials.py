"""Which engine arguments are launched at all; the launches are in ``tests/integration/cli/test_tune.py``."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gglib.app.tuning.engine_trials import EngineTrials
from gglib.app.tuning.measured import Turn
from gglib.core.memory import DeviceBytes
from gglib.core.models import ModelLaunchSpec, ModelSettings
from gglib.runtime import LaunchConfig
from gglib.runtime.engines import EmbeddedEngine
from gglib.runtime.memory import RunningEngine

GB = 10**9
START = ("--threads", "2")
SPEC = ModelLaunchSpec(
    model_id=1, model_name="m", path=Path("/m.gguf"), settings=ModelSettings(engine_args=START)
)


@dataclass
class Sizes:
    """The sizes of launches by their arguments, and the memory that there is."""

    by_arguments: dict[tuple[str, ...], DeviceBytes]
    limit: DeviceBytes = field(default_factory=lambda: {"ram": 8 * GB, "gpu0": 4 * GB})

    async def size_of(self, spec: ModelLaunchSpec, context: int) -> DeviceBytes:
        assert context == 4096
        return self.by_arguments[spec.settings.engine_args]

    async def limits(self, engines: Sequence[RunningEngine]) -> DeviceBytes:
        assert not engines
        return self.limit


async def skipped(arguments: tuple[str, ...], start: DeviceBytes, size: DeviceBytes) -> str | None:
    """Return why arguments with this size are skipped."""
    trials = EngineTrials(
        spec=SPEC,
        context=4096,
        turn=Turn(prompt_tokens=1, tokens=2),
        rounds=3,
        config=LaunchConfig(
            engine=EmbeddedEngine(reason="test"), engines_dir=Path("/run"), log_dir=Path("/logs")
        ),
        accounts=Sizes({START: start, arguments: size}),
    )
    return await trials.skip_reason(arguments)


@pytest.mark.parametrize(
    ("start", "size", "reason"),
    [
        ({"ram": GB}, {"ram": 2 * GB}, None),
        ({"ram": GB}, {"ram": 9 * GB}, "needs more memory than there is: 9.0 GB of 8.0 GB RAM"),
        (
            {"ram": GB},
            {"ram": GB, "gpu0": 5 * GB},
            "needs more memory than there is: 5.0 GB of 4.0 GB gpu0",
        ),
        ({"ram": 9 * GB}, {"ram": 9 * GB}, None),
        ({"ram": 9 * GB}, {"ram": 8 * GB}, None),
        ({"ram": GB}, {"ram": GB, "gpu1": 5 * GB}, None),
    ],
)
async def test_what_does_not_fit_is_skipped(
    start: DeviceBytes, size: DeviceBytes, reason: str | None
) -> None:
    """Unless it takes no more than the model does now; a device without a limit has none."""
    assert await skipped(("--ubatch-size", "1024"), start, size) == reason


async def test_options_that_the_engine_does_not_take_are_skipped() -> None:
    """The engine is asked; its whole message would not fit into a table."""
    reason = await skipped(("--device", "CUDA0"), {"ram": 1}, {"ram": 1})
    assert reason == "the engine in use does not take this option"
