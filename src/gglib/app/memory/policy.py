"""How many models stay in memory, by the settings and by what is known of this machine. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from gglib.app.settings import Settings
from gglib.core.memory import RAM, DeviceBytes


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryPolicy:
    """What limits the models in memory."""

    capacity: int
    """The maximum number of models."""
    limits_memory: bool
    """Whether the budget limits them, too."""


def memory_policy(settings: Settings, budget: DeviceBytes) -> MemoryPolicy:
    """Return what limits the models in memory. ``budget`` is that of ``MemoryAccounts``.

    Without a budget for the RAM, ``max_models = "auto"`` would limit nothing: it means one model then.
    """
    if _lacks_budget(settings, budget):
        return MemoryPolicy(capacity=1, limits_memory=bool(settings.memory))
    return MemoryPolicy(capacity=settings.capacity, limits_memory=settings.manages_memory)


def memory_warnings(settings: Settings, budget: DeviceBytes) -> Iterator[str]:
    """Yield a sentence for each setting of the memory that cannot be applied on this machine."""
    devices = (RAM, *(device for device in budget if device != RAM))
    for device in settings.memory:
        if device not in devices:
            yield (
                f"Setting 'memory': '{device}' is not a device that the engine can use, so its budget is ignored. "
                f"The devices are {', '.join(devices)}."
            )
    if _lacks_budget(settings, budget):
        yield (
            "Setting 'max_models': 'auto' needs a memory budget, and the system does not report how much RAM there "
            'is, so one model at a time is in memory. Set the budget, for example memory = "20G".'
        )
    capacity = memory_policy(settings, budget).capacity
    if len(settings.preload) > capacity:
        yield (
            f"Setting 'preload' has {len(settings.preload)} models, but 'max_models' allows {capacity} in memory: "
            'each further one replaces another. Raise it, or set max_models = "auto".'
        )


def _lacks_budget(settings: Settings, budget: DeviceBytes) -> bool:
    return settings.max_models is None and RAM not in budget
