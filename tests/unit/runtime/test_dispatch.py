"""The order in which events are handled."""

from pathlib import Path

from gglib.core.models import ModelLaunchSpec
from gglib.runtime.dispatch import Dispatcher
from gglib.runtime.scheduler.events import BecameReady, Grant, Launch, Refuse, Requested, Stop
from gglib.runtime.scheduler.scheduler import Scheduler


async def test_events_during_effects_are_handled_after_them() -> None:
    """The scheduler never gets an event while it handles another one."""
    spec = ModelLaunchSpec(model_id=1, model_name="a", path=Path("/models/a.gguf"))
    steps: list[str] = []

    def execute(effect: Grant | Launch | Refuse | Stop) -> None:
        steps.append(type(effect).__name__)
        if isinstance(effect, Launch):
            dispatcher.dispatch(BecameReady(effect.generation))
            steps.append("launched")

    dispatcher = Dispatcher(Scheduler(capacity=1), execute, lambda _: 1.0, lambda: 0.0)
    dispatcher.dispatch(Requested(1, spec, 512, 512))
    assert steps == ["Launch", "launched", "Grant"]
    assert (dispatcher.in_flight, dispatcher.is_dispatching) == (1, False)
    dispatcher.close()
