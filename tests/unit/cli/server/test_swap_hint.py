"""The hint that the terminal of a running server shows once."""

import asyncio

import pytest

from gglib.cli.server.swap_hint import shown_swap_hint
from gglib.core.ports import ModelRuntimePort, ResidentStatus, RuntimeStatus, SwapStatus
from gglib.core.runtime.events import EventsLost, RequestQueued, RuntimeEvent, SwapFinished
from gglib.testing import FakeRuntime

SWAP = SwapFinished(swap=SwapStatus(from_model="a", to_model="b", why="'a' was idle"))
QUEUED = RequestQueued(model_name="b", request_id="req_1")
LINE = "Hint: keep both.\n"


class HintingRuntime(FakeRuntime):
    """A runtime with a hint in its status, which counts how often the status is read."""

    def __init__(self) -> None:
        super().__init__()
        self.hint: str | None = None
        self.keep_hint: str | None = None
        self.reads = 0

    async def status(self) -> RuntimeStatus:
        """Return the hints only."""
        self.reads += 1
        resident = ResidentStatus(
            model_id=1, model_name="a", state="ready", effective_ctx=1, keep_hint=self.keep_hint
        )
        return RuntimeStatus(residents=(resident,), hint=self.hint)


class SilentRuntime(HintingRuntime):
    """A runtime without events."""

    subscribe = ModelRuntimePort.subscribe  # type: ignore[assignment]


async def events_pass(runtime: FakeRuntime, *events: RuntimeEvent) -> None:
    """Publish events, and let the tasks of the loop handle them."""
    await asyncio.sleep(0)
    for event in events:
        runtime.publish(event)
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.mark.parametrize("event", [SWAP, EventsLost()])
async def test_hint_is_printed_once_after_its_swap(
    event: RuntimeEvent, capsys: pytest.CaptureFixture[str]
) -> None:
    """Later swaps print other hints only."""
    runtime = HintingRuntime()
    async with shown_swap_hint(runtime):
        await events_pass(runtime, event)
        assert capsys.readouterr().err == ""
        runtime.hint = "keep both."
        await events_pass(runtime, event, event)
        assert capsys.readouterr().err == LINE
        runtime.keep_hint = "keep its prompts."
        await events_pass(runtime, event, event)
        assert capsys.readouterr().err == "Hint: keep its prompts.\n"
    assert not runtime.subscriptions


async def test_other_events_do_not_read_the_status(capsys: pytest.CaptureFixture[str]) -> None:
    """A server with many requests has many events."""
    runtime = HintingRuntime()
    runtime.hint = "keep both."
    async with shown_swap_hint(runtime):
        await events_pass(runtime, QUEUED)
        assert (runtime.reads, capsys.readouterr().err) == (0, "")
    assert not runtime.subscriptions


async def test_runtime_without_events_has_no_hint(capsys: pytest.CaptureFixture[str]) -> None:
    """The block runs all the same."""
    runtime = SilentRuntime()
    runtime.hint = "keep both."
    async with shown_swap_hint(runtime):
        await events_pass(runtime, SWAP)
    assert capsys.readouterr().err == ""
