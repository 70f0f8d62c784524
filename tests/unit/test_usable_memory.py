"""A graphics processor counts only for an engine that can use it."""

from pathlib import Path

import pytest

from gglib.bootstrap import memory as of_this_machine
from gglib.bootstrap.memory import usable_memory
from gglib.core.fit import GpuMemory, MachineMemory
from gglib.runtime.engine import EmbeddedEngine, LlamaServerEngine
from gglib.settings import Settings

WITH_GPU = MachineMemory(
    total_bytes=16 << 30,
    available_bytes=8 << 30,
    gpus=(GpuMemory(name="one", total_bytes=24 << 30, free_bytes=20 << 30),),
)


@pytest.mark.parametrize(
    ("engine", "has_gpu", "counts"),
    [
        (EmbeddedEngine(reason=""), False, False),
        (EmbeddedEngine(reason=""), True, True),
        (LlamaServerEngine(Path("/bin/true"), reason=""), False, True),
    ],
)
async def test_a_processor_counts_if_the_engine_uses_it(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    engine: EmbeddedEngine | LlamaServerEngine,
    has_gpu: bool,  # noqa: FBT001
    counts: bool,  # noqa: FBT001
) -> None:
    """The wheel for processors alone makes nothing fit that does not fit into the machine's memory."""
    monkeypatch.setattr(of_this_machine, "read_memory", lambda: WITH_GPU)
    monkeypatch.setattr(of_this_machine, "find_engine", lambda _configured: engine)
    monkeypatch.setattr(EmbeddedEngine, "has_gpu", staticmethod(lambda: has_gpu))
    memory = await usable_memory(Settings(home=tmp_path))
    assert bool(memory.gpus) is counts
    assert memory.available_bytes == WITH_GPU.available_bytes


def test_the_wheel_of_this_machine_says_what_it_can_use() -> None:
    """The real one answers, whatever it says."""
    assert EmbeddedEngine.has_gpu() in {True, False}
