"""``MemoryAccounts`` with fixed figures: each launch takes as much as any other."""

from collections.abc import Mapping, Sequence

from gglib.core.memory import RAM, DeviceBytes, DeviceMemory
from gglib.core.models import ModelLaunchSpec
from gglib.runtime.memory import LaunchedEngine, Measurement, RunningEngine


class FixedAccounts:
    """A machine whose RAM has room for a number of launches."""

    def __init__(self, launches: float) -> None:
        self.budget: DeviceBytes = {RAM: round(launches * 1000)}

    async def size_of(self, spec: ModelLaunchSpec, context: int) -> DeviceBytes:  # noqa: ARG002 - the interface
        """Return the size of any launch."""
        return {RAM: 1000}

    async def fits_with_all_slots(self, spec: ModelLaunchSpec, context: int) -> bool:  # noqa: ARG002
        """Return yes."""
        return True

    async def estimate(self, engine: LaunchedEngine) -> DeviceBytes:  # noqa: ARG002
        """Return the size of any launch."""
        return {RAM: 1000}

    async def devices(self) -> Mapping[str, DeviceMemory]:
        """Return the RAM."""
        return {RAM: DeviceMemory(total_bytes=self.budget[RAM], available_bytes=self.budget[RAM])}

    async def limits(self, engines: Sequence[RunningEngine]) -> DeviceBytes:  # noqa: ARG002
        """Return the budget: other programs use nothing."""
        return self.budget

    async def measure(self, engine: LaunchedEngine, pid: int) -> Measurement | None:  # noqa: ARG002
        """Return nothing, as if the memory could not be read."""
        return None

    async def record_out_of_memory(self, engine: LaunchedEngine, size: DeviceBytes) -> DeviceBytes:  # noqa: ARG002
        """Return the size as it is."""
        return size

    async def advice(self, spec: ModelLaunchSpec, context: int) -> str:  # noqa: ARG002
        """Return nothing."""
        return ""
