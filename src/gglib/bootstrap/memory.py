"""What memory a model can be put into on this machine, by the engine that would do it."""

import asyncio
from dataclasses import replace

from gglib.core.errors import EngineNotFoundError
from gglib.core.fit import MachineMemory
from gglib.machine import read_memory
from gglib.runtime.engine import EmbeddedEngine, find_engine
from gglib.settings import Settings


async def usable_memory(settings: Settings) -> MachineMemory:
    """Return the memory that is free now, without processors that the engine cannot use; never raises."""
    memory = await asyncio.to_thread(read_memory)
    if memory.gpus and not await asyncio.to_thread(_uses_gpus, settings):
        return replace(memory, gpus=())
    return memory


def _uses_gpus(settings: Settings) -> bool:
    """Whether the engine is built for such processors; a llama-server is believed to be."""
    try:
        engine = find_engine(settings.engine)
    except EngineNotFoundError:
        return True
    return not isinstance(engine, EmbeddedEngine) or engine.has_gpu()
