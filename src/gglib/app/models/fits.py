"""Judges how the models of the catalogue fit into the free memory."""

import asyncio
import time
from collections.abc import Callable, Sequence

from gglib.app.memory.fitting import (
    are_facts_cached,
    default_context,
    launch_fit,
    usable_memory,
    wanted_slots,
    weights_bytes,
)
from gglib.app.settings import Settings
from gglib.core.kinds import launch_spec
from gglib.core.memory import MachineMemory
from gglib.core.model_fits import ModelFit, ModelFits
from gglib.core.models import ModelSummary
from gglib.core.ports.catalog import ModelStorePort
from gglib.library.file_state import FileState, file_state
from gglib.library.fit.reasons import (
    FILE_HIDDEN,
    FILE_MISSING,
    MEMORY_UNKNOWN,
    fit_reason,
    is_memory_known,
)
from gglib.library.fit.slots import model_fit

READ_LIMIT_S = 1.0
"""How long headers that are not cached are read. Models beyond it are estimated from their sizes; the next call reads
on."""


async def list_fits(settings: Settings, store: ModelStorePort) -> ModelFits:
    """Return how each model fits with its own context and slots, in the order of the catalogue.

    Works in a thread. Raises ``CatalogError``.
    """
    models, memory = await asyncio.gather(store.list_models(), usable_memory(settings))
    fits = await asyncio.to_thread(catalogue_fits, models, settings, memory)
    return ModelFits(memory=memory, fits=tuple(fits))


def catalogue_fits(
    models: Sequence[ModelSummary],
    settings: Settings,
    memory: MachineMemory,
    clock: Callable[[], float] = time.monotonic,
) -> list[ModelFit]:
    """Return how models fit into ``memory``. Blocks: reads the headers that are not cached, for ``READ_LIMIT_S``."""
    until_s = clock() + READ_LIMIT_S
    return [_fit_of(model, settings, memory, may_read=clock() < until_s) for model in models]


def _fit_of(model: ModelSummary, settings: Settings, memory: MachineMemory, *, may_read: bool) -> ModelFit:
    problem = _file_problem(model)
    if problem is not None:
        return ModelFit(
            model_id=model.id,
            model_name=model.name,
            context=model.settings.context or settings.default_ctx,
            fit=None,
            need=None,
            slots=None,
            reason=problem,
        )
    spec = launch_spec(model, model.paths[0])
    context = default_context(spec, settings)
    wanted = wanted_slots(spec, settings, context)
    if may_read or are_facts_cached(spec):
        found = launch_fit(spec, context, wanted, memory)
    else:
        found = model_fit(
            None,
            weights_bytes=weights_bytes(spec),
            context=context,
            slots=wanted,
            memory=memory,
            parameter_count=model.parameter_count,
        )
    is_known = is_memory_known(memory)
    return ModelFit(
        model_id=model.id,
        model_name=model.name,
        context=context,
        fit=found.fit if is_known else None,
        need=found.need,
        slots=found.slots,
        reason=fit_reason(found, memory) if is_known else MEMORY_UNKNOWN,
    )


def _file_problem(model: ModelSummary) -> str | None:
    """Return why a model cannot be loaded from its files, as a sentence; None if all are there."""
    states = {file_state(path) for path in model.all_files}
    if not states or FileState.GONE in states:
        return FILE_MISSING
    return FILE_HIDDEN if FileState.HIDDEN in states else None
