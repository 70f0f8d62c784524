"""Decides how models fit into this machine's memory with the engine in use, and with how many slots."""

import asyncio
from dataclasses import replace
from pathlib import Path

from gglib.app.memory.header_cache import HeaderCache
from gglib.app.settings import Settings
from gglib.core.context import ContextRequest
from gglib.core.errors import EngineNotFoundError, InvalidGgufError, UnreadableFileError
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
    """Return the free memory, without GPUs that the engine cannot use; never raises."""

    def read() -> MachineMemory:
        try:
            engine = find_engine(settings.engine)
        except EngineNotFoundError:
            engine = None
        return engine_memory(engine)

    return await asyncio.to_thread(read)


def fit_slots(engine: Engine) -> FitSlots:
    """Return the function that chooses the slots of a launch by the free memory. It blocks for some milliseconds."""

    def choose(spec: ModelLaunchSpec, context: int, wanted: int) -> int:
        return launch_fit(spec, context, wanted, engine_memory(engine)).slots

    return choose


def launch_fit(spec: ModelLaunchSpec, context: int, wanted: int, memory: MachineMemory) -> SlotFit:
    """Return how a model fits into ``memory`` with its projector; reads its header, or uses the cached facts.

    If the header cannot be read, the fit is a guess: the engine reports the invalid file.
    """
    return model_fit(
        launch_facts(spec), weights_bytes=weights_bytes(spec), context=context, slots=wanted, memory=memory
    )


def launch_facts(spec: ModelLaunchSpec) -> GgufFacts | None:
    """Return the facts of a model as it is launched; None if its header cannot be read. Cached by file and time."""
    try:
        facts = _cached_facts(spec.path, *size_and_mtime(spec.path))
    except UnreadableFileError:  # it may be readable the next time: too many open files, a network disk
        facts = None
    if facts is not None:
        facts = replace(facts, capabilities=spec.capabilities, pooling=spec.pooling)
    if facts is not None and _FULL_WINDOW_CACHE in spec.settings.engine_args:
        facts = replace(facts, layers=replace(facts.layers, window=0))
    return facts


def are_facts_cached(spec: ModelLaunchSpec) -> bool:
    """Whether ``launch_facts`` needs not read the header."""
    return _cached_facts.has(spec.path, *size_and_mtime(spec.path))


def weights_bytes(spec: ModelLaunchSpec) -> int:
    """Return the size of all files that the engine loads."""
    projector = 0 if spec.projector is None else size_and_mtime(spec.projector)[0]
    return (spec.size_bytes or size_and_mtime(spec.path)[0]) + projector


def default_fit(spec: ModelLaunchSpec, settings: Settings, memory: MachineMemory) -> SlotFit:
    """Return how a model fits into ``memory`` with its default context."""
    context = default_context(spec, settings)
    return launch_fit(spec, context, wanted_slots(spec, settings, context), memory)


def default_context(spec: ModelLaunchSpec, settings: Settings) -> int:
    """Return the context of a launch for requests without one, in tokens."""
    return ContextRequest(
        requested=None,
        model_setting=spec.settings.context,
        default=settings.default_ctx,
        trained=spec.trained_context,
    ).needed


def wanted_slots(spec: ModelLaunchSpec, settings: Settings, context: int) -> int:
    """Return the slots of a launch where there is enough memory."""
    return launch_slots(spec.settings.engine_args, setting=settings.slots, context=context)


_FULL_WINDOW_CACHE = "--swa-full"
"""With this option, layers with a sliding window have a full-size cache."""


def engine_memory(engine: Engine | None) -> MachineMemory:
    """Return the memory that an engine can use; a llama-server is assumed to support the machine's GPUs."""
    memory = read_memory()
    if memory.gpus and isinstance(engine, EmbeddedEngine) and not engine.has_gpu():
        return replace(memory, gpus=())
    return memory


def size_and_mtime(path: Path) -> tuple[int, int]:
    """Return size and modification time of a file: the cache key, so that a replaced file is read again."""
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_size, found.st_mtime_ns


def _read_facts(path: Path) -> GgufFacts | None:
    """Return the facts of a file without its chat template, which no fit needs. Raises ``UnreadableFileError``."""
    try:
        return replace(read_model(path).facts, chat_template=None)
    except UnreadableFileError:
        raise
    except InvalidGgufError:
        return None


_cached_facts = HeaderCache(_read_facts)
