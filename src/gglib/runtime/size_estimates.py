"""What each launch takes by the estimate alone, to be shown beside what is measured."""

import asyncio
import logging
from collections.abc import Mapping

from gglib.core.memory import DeviceBytes
from gglib.runtime.launcher import EngineRun
from gglib.runtime.memory import LaunchedEngine, MemoryAccounts

logger = logging.getLogger("gglib.runtime")

MAX_ATTEMPTS = 3
"""How often a launch is estimated whose estimate fails, in successive polls."""


class SizeEstimates:
    """The estimates by generation. The scheduler does not use them: it has the sizes of ``MemoryAccounts.size_of``."""

    def __init__(self, accounts: MemoryAccounts, runs: Mapping[int, EngineRun]) -> None:
        """Estimate ``runs``, the current launches by generation."""
        self._accounts = accounts
        self._runs = runs
        self._sizes: dict[int, DeviceBytes] = {}
        self._failures: dict[int, int] = {}

    def of(self, generation: int) -> DeviceBytes:
        """Return the estimate of a launch; empty if there is none (yet)."""
        return self._sizes.get(generation, {})

    async def poll(self) -> None:
        """Estimate the launches that are new, and again those that failed; forget those that are gone."""
        self._sizes = {
            generation: size for generation, size in self._sizes.items() if generation in self._runs
        }
        self._failures = {
            generation: count for generation, count in self._failures.items() if generation in self._runs
        }
        await asyncio.gather(
            *(
                self._estimate(generation, run)
                for generation, run in tuple(self._runs.items())
                if generation not in self._sizes and self._failures.get(generation, 0) < MAX_ATTEMPTS
            )
        )

    async def _estimate(self, generation: int, run: EngineRun) -> None:
        try:
            self._sizes[generation] = await self._accounts.estimate(launched_engine(run))
        except Exception as error:  # noqa: BLE001 - only the status shows it
            self._failures[generation] = self._failures.get(generation, 0) + 1
            logger.debug("the size of '%s' cannot be estimated: %s", run.spec.model_name, error)


def launched_engine(run: EngineRun) -> LaunchedEngine:
    """Return what an engine was launched with."""
    return LaunchedEngine(
        spec=run.spec, context=run.launch.context, slots=run.slots, prompt_cache_mib=run.prompt_cache_mib
    )
