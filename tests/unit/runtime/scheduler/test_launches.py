"""Events of launches that have ended already."""

import pytest

from gglib.core.errors import ModelLoadFailedError
from gglib.runtime.scheduler.events import BecameReady, Died, Event, Exited, LoadFailed, Measured
from gglib.runtime.scheduler.scheduler import Scheduler


@pytest.mark.parametrize(
    "event",
    [
        BecameReady(9),
        Measured(9, {"ram": 1}),
        LoadFailed(9, ModelLoadFailedError("a", "no")),
        Died(9, "signal 6"),
        Exited(9),
    ],
)
def test_events_of_unknown_launches_change_nothing(event: Event) -> None:
    """They may have been queued while the launch ended."""
    scheduler = Scheduler()
    assert scheduler.handle(event, 1) == []
    assert not scheduler.residents
    assert not scheduler.failures
