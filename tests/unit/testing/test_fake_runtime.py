"""The fake runtime counts holds and waits at its gate."""

import asyncio

import pytest

from gglib.core.errors import ModelLoadFailedError, ModelLoadingError, ModelNotFoundError
from gglib.core.models import RunningTarget
from gglib.testing import FakeRuntime, Lease

TARGET = RunningTarget.local(1, 1, "a", 64)


async def test_a_hold_lasts_as_long_as_its_block() -> None:
    """``holds`` counts the blocks that are open, also when one ends with an error."""
    runtime = FakeRuntime({"a": TARGET})
    async with runtime.admit("a", None, 64) as target, runtime.admit("a", None, 64):
        assert (target, runtime.holds) == (TARGET, 2)
        assert (await runtime.status()).residents[0].in_flight == 2
    with pytest.raises(KeyError):
        async with runtime.admit("a", None, 64):
            raise KeyError
    assert runtime.holds == 0


async def test_admissions_are_remembered_with_their_arguments() -> None:
    """Tests can read the requested leases, including refused ones."""
    runtime = FakeRuntime()
    with pytest.raises(ModelNotFoundError):
        async with runtime.admit("a", 5, 64, wait_s=1.5, request_id="r"):
            pass
    expected = Lease(model_name="a", num_ctx=5, default_ctx=64, wait_s=1.5, request_id="r")
    assert runtime.admitted == [expected]


async def test_a_shut_gate_holds_a_grant_back() -> None:
    """While the gate is closed the caller waits and holds nothing."""
    runtime = FakeRuntime({"a": TARGET}, gate=asyncio.Event())

    async def enter() -> None:
        async with runtime.admit("a", None, 64):
            assert runtime.holds == 1

    task = asyncio.create_task(enter())
    await asyncio.sleep(0)
    assert (runtime.waiting, runtime.holds) == (1, 0)
    assert runtime.gate is not None
    runtime.gate.set()
    await task
    assert (runtime.waiting, runtime.holds) == (0, 0)


async def test_a_bounded_wait_at_the_gate_ends_in_model_loading() -> None:
    """``wait_s`` ends before the gate opens: the error of a model that is still loading."""
    runtime = FakeRuntime({"a": TARGET}, gate=asyncio.Event())
    with pytest.raises(ModelLoadingError):
        async with runtime.admit("a", None, 64, wait_s=0):
            pass
    assert (runtime.waiting, runtime.holds) == (0, 0)


async def test_a_scripted_failure_is_raised_instead_of_a_grant() -> None:
    """``fails_with`` stands in for the errors of a real runtime."""
    runtime = FakeRuntime({"a": TARGET}, fails_with=ModelLoadFailedError("a", "bad magic"))
    with pytest.raises(ModelLoadFailedError):
        async with runtime.admit("a", None, 64):
            pass
    runtime.fails_with = None
    assert await runtime.ensure_model_running("a", None, 64) == TARGET


async def test_latest_grant_is_current_until_it_is_stopped() -> None:
    """``current_model`` follows the grants; ``stop_current`` empties it and is counted."""
    runtime = FakeRuntime({"a": TARGET})
    assert await runtime.current_model() is None
    await runtime.ensure_model_running("a", None, 64)
    assert await runtime.current_model() == TARGET
    await runtime.stop_current()
    assert await runtime.current_model() is None
    assert runtime.stops == 1
    assert (await runtime.status()).residents == ()
