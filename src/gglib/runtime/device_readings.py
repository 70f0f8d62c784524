"""The memory of the machine's devices for the status: read only when it is asked for, and seldom."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from gglib.core.memory import DeviceMemory

logger = logging.getLogger("gglib.runtime")

MAX_AGE_S = 2.0
"""A reading is returned for this long; all callers share it. It costs a thread switch, and a query of the GPUs' driver.
"""
MAX_WAIT_S = 0.5
"""How long a caller waits for a new reading: a driver that does not respond must not delay the status."""


class DeviceReadings:
    """Caches the readings; one read at a time. Use it only from one event loop."""

    def __init__(self, read: Callable[[], Awaitable[Mapping[str, DeviceMemory]]] | None) -> None:
        """``read`` returns the memory by device; None: it is unknown."""
        self._read = read
        self._devices: Mapping[str, DeviceMemory] = {}
        self._read_at_s: float | None = None
        self._task: asyncio.Task[None] | None = None
        self._has_warned = False

    async def newest(self) -> Mapping[str, DeviceMemory]:
        """Return a reading of the last ``MAX_AGE_S``, or the last one if a new one takes longer than ``MAX_WAIT_S``.

        Empty before the first one.
        """
        if self._read is None:
            return {}
        now_s = asyncio.get_running_loop().time()
        if self._read_at_s is None or now_s >= self._read_at_s + MAX_AGE_S:
            if self._task is None:
                self._task = asyncio.create_task(self._refresh(self._read), name="device-reading")
            await asyncio.wait([self._task], timeout=MAX_WAIT_S)
        return self._devices

    def close(self) -> None:
        """Cancel a read in progress."""
        if self._task is not None:
            self._task.cancel()

    async def _refresh(self, read: Callable[[], Awaitable[Mapping[str, DeviceMemory]]]) -> None:
        try:
            self._devices = await read()
        except Exception as error:  # noqa: BLE001 - the rest of the status does not depend on it
            if not self._has_warned:
                self._has_warned = True
                logger.warning(
                    "the memory of the machine cannot be read: %s: %s", type(error).__name__, error
                )
        finally:
            self._task = None
            self._read_at_s = asyncio.get_running_loop().time()
