"""The port to the measured memory of earlier launches."""

from typing import Protocol

from gglib.core.memory import DeviceBytes


class MemoryPeakStorePort(Protocol):
    """Keeps the measured peak of launches, in bytes by device. Failures are a ``CatalogError``."""

    async def list_peaks(self) -> dict[str, DeviceBytes]:
        """Return the recorded peaks by key; a key identifies a model's content and its launch options."""
        ...

    async def record_peak(self, key: str, size: DeviceBytes) -> None:
        """Record a peak, or replace it.

        The number of records is limited: those that were recorded longest ago are deleted.
        """
        ...
