"""The memory of launches: the limit of the prompt cache, and the wait for a GPU's memory after a stop."""

import asyncio
import threading
from dataclasses import dataclass, field

from tests.integration.runtime.conftest import World
from tests.support.waiting import until

from gglib.core.memory import GpuMemory
from gglib.core.models import ModelLaunchSpec
from gglib.system.gpus import GpuState


@dataclass
class SlowDriver:
    """A driver that releases an engine's memory only when the test lets it. Read in threads."""

    world: World
    released: threading.Event = field(default_factory=threading.Event)
    reads_after_exit: int = 0

    def read(self) -> tuple[GpuState, ...]:
        """Return a GPU that every engine fills."""
        pids = [event["pid"] for event in self.world.events("start")]
        living = self.world.living()
        if pids and not living:
            self.reads_after_exit += 1
        is_free = not living and self.released.is_set()
        memory = GpuMemory(name="gpu", total_bytes=100, free_bytes=100 if is_free else 10)
        held = living or ([] if self.released.is_set() else pids[-1:])
        return (GpuState(memory, dict.fromkeys(held, 90)),)


async def test_the_next_launch_waits_for_the_memory_of_the_gpu(world: World) -> None:
    """The process of the stopped engine is gone, but the driver still shows its memory: nothing is launched yet."""
    driver = SlowDriver(world)
    async with world.manager(read_gpus=driver.read) as manager:
        await manager.ensure_model_running("a", None, 4096)
        swap = asyncio.create_task(manager.ensure_model_running("b", None, 4096))
        await until(lambda: driver.reads_after_exit >= 3)
        assert len(world.events("start")) == 1
        driver.released.set()
        await swap
        assert len(world.events("start")) == 2


async def test_a_launch_has_the_injected_limit_of_the_prompt_cache(world: World) -> None:
    """It depends on model, context and slots; without it, the limit is a share of the machine's memory."""

    def limit(spec: ModelLaunchSpec, context: int, slots: int) -> int:
        assert (spec.model_name, context, slots) == ("a", 4096, 4)
        return 77

    async with world.manager(prompt_cache=limit) as manager:
        await manager.ensure_model_running("a", None, 4096)
    (start,) = world.events("start")
    assert start["argv"][start["argv"].index("--cache-ram") + 1] == "77"
