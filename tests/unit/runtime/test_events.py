"""Runtime events, read off a scheduler's steps, and what subscribers get of them."""

import asyncio
from pathlib import Path

from gglib.core.models import ModelLaunchSpec
from gglib.core.runtime.events import (
    EventsLost,
    ModelLoading,
    ModelPromptsRestored,
    ModelPromptsSaved,
    ModelReady,
    ModelStopping,
    ModelUnloaded,
    RequestQueued,
    RuntimeEvent,
    SwapFinished,
)
from gglib.core.runtime.kept_prompts import KeptTransfer
from gglib.runtime.events import MAX_QUEUED_EVENTS, EventHub, EventTranslator
from gglib.runtime.scheduler.events import BecameReady, Died, Event, Exited, Grant, Requested, RequestEnded
from gglib.runtime.scheduler.kept_events import PromptsRestored, PromptsSaved
from gglib.runtime.scheduler.scheduler import Scheduler
from gglib.runtime.scheduler.swap_history import SwapHistory

A = ModelLaunchSpec(model_id=1, model_name="a", path=Path("/a.gguf"))
B = ModelLaunchSpec(model_id=2, model_name="b", path=Path("/b.gguf"))
KEPT = KeptTransfer(slots=1, tokens=2006, size_bytes=9, seconds=0.02)


def lived(*story: tuple[float, Event]) -> list[RuntimeEvent]:
    """Return every event of a story but the swaps, whose form is the swap history's."""
    scheduler, history, reader = Scheduler(swap_wait_s=15), SwapHistory(), EventTranslator(lambda _: 3.0)
    events: list[RuntimeEvent] = []
    for now, event in story:
        effects = scheduler.handle(event, now)
        events += reader.translate(event, effects, history.record(event, effects, now), now)
    return [one for one in events if not isinstance(one, SwapFinished)]


def ask(ticket: int, spec: ModelLaunchSpec) -> Requested:
    """Return a request whose id contains its ticket."""
    return Requested(ticket, spec, 8192, 8192, f"req-{ticket}")


def test_a_swap_is_published_step_by_step() -> None:
    """The request that waits, the model that leaves and why, the one that comes and how long that took."""
    events = lived(
        (0, ask(1, A)),
        (2, BecameReady(1)),
        (3, RequestEnded(1)),
        (30, ask(2, B)),
        (31, Exited(1)),
        (35, BecameReady(2)),
    )
    assert events == [
        RequestQueued(model_name="a", request_id="req-1"),
        ModelLoading(model_id=1, model_name="a", effective_ctx=8192, expected_s=3.0),
        ModelReady(model_id=1, model_name="a", load_s=2),
        RequestQueued(model_name="b", request_id="req-2"),
        ModelStopping(model_id=1, model_name="a", reason="idle"),
        ModelUnloaded(model_id=1, model_name="a", died=None),
        ModelLoading(model_id=2, model_name="b", effective_ctx=8192, expected_s=3.0),
        ModelReady(model_id=2, model_name="b", load_s=4),
    ]


def test_kept_prompts_are_published_with_the_model() -> None:
    """Until its engine has exited."""
    scheduler, reader = Scheduler(), EventTranslator(lambda _: 3.0)
    request = ask(1, A)
    assert list(reader.translate_kept(PromptsRestored(1, KEPT))) == []
    list(reader.translate(request, scheduler.handle(request, 0), (), 0))
    assert list(reader.translate_kept(PromptsRestored(1, KEPT))) == [
        ModelPromptsRestored(model_id=1, model_name="a", transfer=KEPT)
    ]
    assert list(reader.translate_kept(PromptsSaved(1, KEPT))) == [
        ModelPromptsSaved(model_id=1, model_name="a", transfer=KEPT)
    ]
    list(reader.translate(Exited(1), (), (), 1))
    assert list(reader.translate_kept(PromptsSaved(1, KEPT))) == []


def test_a_death_says_why() -> None:
    """With the end of what is left of the engine."""
    events = lived(
        (0, ask(1, A)), (2, BecameReady(1)), (3, RequestEnded(1)), (4, Died(1, "signal 9")), (5, Exited(1))
    )
    assert events[-1] == ModelUnloaded(model_id=1, model_name="a", died="signal 9")


def test_a_request_that_does_not_wait_is_not_queued() -> None:
    """With ``Prefer: wait=0`` a request only begins the load."""
    events = lived((0, Requested(1, A, 8192, 8192, "req-1", waits=False)))
    assert events == [ModelLoading(model_id=1, model_name="a", effective_ctx=8192, expected_s=3.0)]


def test_the_end_of_another_wait_does_not_hide_a_queued_request() -> None:
    """The step that queues a request may grant one that has waited longer."""
    event = ask(2, B)
    effects = [Grant(1, 1)]
    assert list(EventTranslator(lambda _: 3.0).translate(event, effects, (), 0)) == [
        RequestQueued(model_name="b", request_id="req-2")
    ]


def test_a_slow_subscriber_gets_an_event_for_lost_events() -> None:
    """It delays no other subscriber, and gets all events after the gap; an ended subscription gets none."""

    async def main() -> None:
        hub = EventHub()
        gone = ModelUnloaded(model_id=1, model_name="a", died=None)
        with hub.subscribe() as slow, hub.subscribe() as quick:
            for _ in range(MAX_QUEUED_EVENTS + 1):
                hub.publish(gone)
                assert await quick.next(0) == gone
            assert await slow.next(0) == EventsLost()
            assert await slow.next(0) is None
            hub.publish(gone)
            assert await slow.next(1) == gone
        hub.publish(gone)
        assert await slow.next(0) is None

    asyncio.run(main())
