"""The part of a front's runtime that concerns this machine's models alone: its own runtime does it."""

from abc import ABC
from collections.abc import Mapping

from gglib.core.memory import DeviceMemory
from gglib.core.models import RunningTarget
from gglib.core.ports import EventSubscription, ModelRuntimePort, RuntimeStatus, SwapStatus
from gglib.core.runtime.slots import SlotCopy


class OwnModels(ModelRuntimePort, ABC):
    """Loads, unloads and reports the models of this machine. A subclass adds the requests."""

    def __init__(self, own: ModelRuntimePort) -> None:
        self._own = own

    async def current_model(self) -> RunningTarget | None:
        """Return the most recently used ready model of this machine, or None."""
        return await self._own.current_model()

    async def loaded_target(self, model_name: str) -> RunningTarget | None:
        """Return the target of a ready model of this machine, or None."""
        return await self._own.loaded_target(model_name)

    async def load(self, model_name: str, num_ctx: int | None, default_ctx: int) -> RunningTarget:
        """Load a model on this machine."""
        return await self._own.load(model_name, num_ctx, default_ctx)

    async def unload(self, model_name: str) -> bool:
        """Unload a model of this machine."""
        return await self._own.unload(model_name)

    async def stop_current(self) -> None:
        """Unload all models of this machine."""
        await self._own.stop_current()

    async def apply_pins(self) -> None:
        """Apply the pins of this machine's catalogue."""
        await self._own.apply_pins()

    async def copy_slot(self, target: RunningTarget, copy: SlotCopy) -> bool:
        """Copy the prompt in a slot of an engine of this machine; a node does so itself."""
        return target.node is None and await self._own.copy_slot(target, copy)

    def is_blocking_swap(self, target: RunningTarget) -> bool:
        """Whether ``target`` drains while other requests wait, on this machine."""
        return target.node is None and self._own.is_blocking_swap(target)

    async def status(self) -> RuntimeStatus:
        """Return the status of this machine."""
        return await self._own.status()

    def swap_of(self, request_id: str) -> SwapStatus | None:
        """Return the finished swap that a request caused on this machine."""
        return self._own.swap_of(request_id)

    def note_cached(self, model_name: str, cached_tokens: int, ended_at_s: float) -> None:
        """Note the reused tokens of a response of this machine."""
        self._own.note_cached(model_name, cached_tokens, ended_at_s)

    def swaps(self, limit: int) -> tuple[SwapStatus, ...]:
        """Return the last finished swaps of this machine."""
        return self._own.swaps(limit)

    async def devices(self) -> Mapping[str, DeviceMemory]:
        """Return the memory of this machine."""
        return await self._own.devices()

    def subscribe(self) -> EventSubscription | None:
        """Return the events of this machine."""
        return self._own.subscribe()
