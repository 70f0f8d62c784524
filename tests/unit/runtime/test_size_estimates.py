"""Each launch is estimated once, as soon as it is seen."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from gglib.core.memory import DeviceBytes
from gglib.core.models import ModelLaunchSpec
from gglib.runtime.memory import LaunchedEngine
from gglib.runtime.size_estimates import MAX_ATTEMPTS, SizeEstimates

SPEC = ModelLaunchSpec(model_id=1, model_name="a", path=Path("/a.gguf"))


class Accounts:
    """Accounts that estimate, and record for what."""

    def __init__(self) -> None:
        self.engines: list[LaunchedEngine] = []
        self.fails = False

    async def fits_with_all_slots(self, spec: ModelLaunchSpec, context: int) -> bool:
        del spec, context
        return True

    async def estimate(self, engine: LaunchedEngine) -> DeviceBytes:
        """Return the context as the size."""
        self.engines.append(engine)
        if self.fails:
            raise OSError("the file is gone")
        return {"ram": engine.context}


def run_of(context: int) -> Any:
    """Return a launch that is loading."""
    launch = SimpleNamespace(context=context)
    return SimpleNamespace(spec=SPEC, launch=launch, slots=2, prompt_cache_mib=None)


async def test_new_launches_are_estimated_once_and_forgotten_with_their_end() -> None:
    """With the options that they were launched with."""
    accounts: Any = Accounts()
    runs = {1: run_of(8)}
    estimates = SizeEstimates(accounts, runs)
    assert estimates.of(1) == {}
    await estimates.poll()
    await estimates.poll()
    assert estimates.of(1) == {"ram": 8}
    assert accounts.engines == [LaunchedEngine(spec=SPEC, context=8, slots=2)]
    del runs[1]
    runs[2] = run_of(16)
    await estimates.poll()
    assert (estimates.of(1), estimates.of(2)) == ({}, {"ram": 16})


async def test_an_estimate_that_fails_is_repeated() -> None:
    """An error that passes leaves no launch without an estimate."""
    accounts: Any = Accounts()
    accounts.fails = True
    estimates = SizeEstimates(accounts, {1: run_of(8)})
    await estimates.poll()
    assert estimates.of(1) == {}
    accounts.fails = False
    await estimates.poll()
    assert estimates.of(1) == {"ram": 8}


async def test_a_launch_that_cannot_be_estimated_has_no_estimate() -> None:
    """It is tried a few times, and the other launches have theirs; its generation is forgotten with its end."""
    accounts: Any = Accounts()
    accounts.fails = True
    runs = {1: run_of(8)}
    estimates = SizeEstimates(accounts, runs)
    for _ in range(MAX_ATTEMPTS + 2):
        await estimates.poll()
    assert len(accounts.engines) == MAX_ATTEMPTS
    accounts.fails = False
    runs[2] = run_of(16)
    await estimates.poll()
    assert (estimates.of(1), estimates.of(2)) == ({}, {"ram": 16})
    assert len(accounts.engines) == MAX_ATTEMPTS + 1
    del runs[1]
    await estimates.poll()
    runs[1] = run_of(32)
    await estimates.poll()
    assert estimates.of(1) == {"ram": 32}
