"""What memory a model can be put into on this machine, by the engine that would do it, and with how many slots."""

import asyncio
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from gglib.app.settings import Settings
from gglib.core.context import ContextRequest
from gglib.core.errors import EngineNotFoundError, InvalidGgufError
from gglib.core.memory import MachineMemory
from gglib.core.models import GgufFacts, ModelLaunchSpec
from gglib.gguf import read_model
from gglib.library.fit.slots import SlotFit, model_fit
from gglib.runtime.engines import (
    EmbeddedEngine,
    Engine,
    FitSlots,
    find_engine,
)
from gglib.runtime.engines.llama_cpp.options import launch_slots
from gglib.system import read_memory


async def usable_memory(settings: Settings) -> MachineMemory:
    """Return the memory that is free now, without processors that the engine cannot use; never raises."""

    def read() -> MachineMemory:
        try:
            engine = find_engine(settings.engine)
        except EngineNotFoundError:
            engine = None
        return _memory_for(engine)

    return await asyncio.to_thread(read)


def fit_slots(engine: Engine) -> FitSlots:
    """Return what decides for each launch how many slots there is memory for. It blocks for some milliseconds."""

    def choose(spec: ModelLaunchSpec, context: int, wanted: int) -> int:
        return launch_fit(spec, context, wanted, _memory_for(engine)).slots

    return choose


def launch_fit(spec: ModelLaunchSpec, context: int, wanted: int, memory: MachineMemory) -> SlotFit:
    """Return how a model fits into ``memory`` with its projector; reads its header, unless it did before.

    A header that cannot be read leaves a guess: that the file is no model is for the engine to say.
    """
    facts = _cached_facts(spec.path, *_size_and_mtime(spec.path))
    if facts is not None:
        facts = replace(facts, capabilities=spec.capabilities, pooling=spec.pooling)
    if facts is not None and _FULL_WINDOW_CACHE in spec.settings.engine_args:
        facts = replace(facts, layers=replace(facts.layers, window=0))
    projector = 0 if spec.projector is None else _size_and_mtime(spec.projector)[0]
    weights = spec.size_bytes or _size_and_mtime(spec.path)[0]
    return model_fit(facts, weights_bytes=weights + projector, context=context, slots=wanted, memory=memory)


def default_fit(spec: ModelLaunchSpec, settings: Settings, memory: MachineMemory) -> SlotFit:
    """Return how a model fits into ``memory`` when no request says how much context it needs."""
    context = ContextRequest(
        requested=None,
        model_setting=spec.settings.context,
        default=settings.default_ctx,
        trained=spec.trained_context,
    ).needed
    wanted = launch_slots(spec.settings.engine_args, setting=settings.slots, context=context)
    return launch_fit(spec, context, wanted, memory)


_FULL_WINDOW_CACHE = "--swa-full"
"""With it the layers with a sliding window keep as much as the others."""


def _memory_for(engine: Engine | None) -> MachineMemory:
    """Return the memory that an engine can use; a llama-server is believed to be built for the GPUs that there are."""
    memory = read_memory()
    if memory.gpus and isinstance(engine, EmbeddedEngine) and not engine.has_gpu():
        return replace(memory, gpus=())
    return memory


def _size_and_mtime(path: Path) -> tuple[int, int]:
    """Return size and time of change of a file, by which one that was replaced is read anew."""
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_size, found.st_mtime_ns


@lru_cache(maxsize=64)
def _cached_facts(path: Path, size_bytes: int, changed_ns: int) -> GgufFacts | None:
    del size_bytes, changed_ns  # they are part of what is remembered
    try:
        return read_model(path).facts
    except InvalidGgufError:
        return None
