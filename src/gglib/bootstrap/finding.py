"""Settings and a hub become what finds models for this machine."""

from gglib.bootstrap.memory import usable_memory
from gglib.core.ports import ModelHubPort
from gglib.gguf import read_partial_facts
from gglib.settings import Settings
from gglib.usecases.find_models import ModelFinder


async def finder(settings: Settings, hub: ModelHubPort) -> ModelFinder:
    """Return what searches ``hub``, for this machine's memory as it is now."""
    return ModelFinder(
        hub=hub,
        memory=await usable_memory(settings),
        context=settings.default_ctx,
        slots=settings.slots,
        read_facts=read_partial_facts,
    )
