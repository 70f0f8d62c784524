"""Decides how models fit into this machine's memory with the engine in use, and with how many slots."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from gglib.app.memory.gpu_use import can_use
from gglib.app.memory.header_cache import HeaderCache
from gglib.app.settings import Settings
from gglib.core.context import ContextRequest
from gglib.core.errors import EngineNotFoundError, InvalidGgufError, UnreadableFileError
from gglib.core.memory import Fit, MachineMemory, MemoryNeed
from gglib.core.models import GgufFacts, ModelLaunchSpec
from gglib.core.runtime.slots import clamp_slots
from gglib.gguf import read_model
from gglib.library.fit.cache_size import F16_CACHE, CacheTypes
from gglib.library.fit.estimate import estimate
from gglib.library.fit.slots import SlotFit
from gglib.library.fit.slots import fit_slots as slots_that_fit
from gglib.runtime.engines import (
    EmbeddedEngine,
    Engine,
    FitSlots,
    find_engine,
)
from gglib.runtime.engines.llama_cpp.options import final_values, launch_slots
from gglib.runtime.engines.llama_cpp.options.files import added_files, draft_model
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


def has_all_slots(spec: ModelLaunchSpec, context: int, *, setting: int, engine: Engine) -> bool:
    """Whether ``fit_slots`` gives a launch all its slots in the memory that is free now. Blocks as it does."""
    wanted = launch_slots(spec.settings.engine_args, setting=setting, context=context)
    fit = launch_fit(spec, context, wanted, engine_memory(engine))
    return fit.fit is Fit.FITS and not fit.is_short


def launch_fit(spec: ModelLaunchSpec, context: int, wanted: int, memory: MachineMemory) -> SlotFit:
    """Return how a model fits into ``memory`` with its projector; reads its header, or uses the cached facts.

    If the header cannot be read, the fit is a guess: the engine reports the invalid file. Raises
    ``EngineArgumentError`` for an engine argument that a model may not set.
    """
    facts = launch_facts(spec)
    return slots_that_fit(
        lambda slots: launch_need(spec, facts, context, slots), memory, wanted=clamp_slots(wanted, context)
    )


def launch_need(spec: ModelLaunchSpec, facts: GgufFacts | None, context: int, slots: int) -> MemoryNeed:
    """Return the memory need of a launch with its cache types, adapters and draft model, whose header is read.

    ``facts`` are those of ``launch_facts``. Raises ``EngineArgumentError`` for an argument that a model may not set.
    """
    arguments = spec.settings.engine_args
    need = estimate(
        facts,
        weights_bytes=weights_bytes(spec) + sum(size_and_mtime(path)[0] for path in added_files(arguments)),
        context=context,
        slots=slots,
        cache_types=_cache_types(arguments, ("--cache-type-k", "--cache-type-v")),
    )
    draft = draft_model(arguments)
    return need if draft is None else _with_draft(need, draft, spec, context, slots)


def slot_bytes_token(spec: ModelLaunchSpec) -> float | None:
    """Return about how many bytes of the cache a token takes; None if the header cannot be read or says nothing."""
    facts = launch_facts(spec)
    if facts is None:
        return None
    kv_bytes = launch_need(spec, facts, _TYPICAL_CONTEXT, 1).kv_bytes
    return kv_bytes / _TYPICAL_CONTEXT or None


def _with_draft(need: MemoryNeed, draft: Path, spec: ModelLaunchSpec, context: int, slots: int) -> MemoryNeed:
    """Add a draft model: its weights, and a cache of the same context."""
    try:
        facts = _cached_facts(draft, *size_and_mtime(draft))
    except UnreadableFileError:
        facts = None
    own = estimate(
        facts,
        weights_bytes=size_and_mtime(draft)[0],
        context=context,
        slots=slots,
        cache_types=_cache_types(spec.settings.engine_args, ("--cache-type-k-draft", "--cache-type-v-draft")),
    )
    return replace(
        need,
        weights_bytes=need.weights_bytes + own.weights_bytes,
        kv_bytes=need.kv_bytes + own.kv_bytes,
        compute_bytes=need.compute_bytes + own.compute_bytes,
    )


def _cache_types(arguments: Sequence[str], names: tuple[str, str]) -> CacheTypes:
    values = final_values(arguments)
    keys, own = names
    return CacheTypes(keys=values.get(keys, F16_CACHE.keys), values=values.get(own, F16_CACHE.values))


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
_TYPICAL_CONTEXT = 4096
"""In tokens; with it, what a saved token takes is estimated."""


def engine_memory(engine: Engine | None) -> MachineMemory:
    """Return the memory that an engine can use: without the GPUs that its build has no backend for (``can_use``).

    Where there are GPUs, the engine is asked for its devices: up to 20 s, once for each version of its program.
    """
    memory = read_memory()
    if not memory.gpus or engine is None:
        return memory
    if isinstance(engine, EmbeddedEngine) and not engine.has_gpu():
        return replace(memory, gpus=())
    devices = engine.gpu_devices()
    if isinstance(engine, EmbeddedEngine):
        devices = devices or None
    return replace(memory, gpus=tuple(gpu for gpu in memory.gpus if can_use(gpu, devices)))


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
