"""Composes the model search: hub, memory of this machine and settings."""

from gglib.app.memory.fitting import usable_memory
from gglib.app.settings import Settings
from gglib.core.ports.hub import ModelHubPort
from gglib.gguf import read_partial_facts
from gglib.library.search import ModelFinder


async def model_finder(settings: Settings, hub: ModelHubPort) -> ModelFinder:
    """Return a finder for ``hub`` and the memory that is free now."""
    return ModelFinder(
        hub=hub,
        memory=await usable_memory(settings),
        context=settings.default_ctx,
        slots=settings.slots,
        read_facts=read_partial_facts,
    )
