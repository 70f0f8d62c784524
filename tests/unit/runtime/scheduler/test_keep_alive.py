"""A request may determine how long its model stays in memory (``ModelLaunchSpec.keep_alive_s``)."""

import math
from dataclasses import replace

import pytest
from tests.unit.runtime.scheduler.playbook import (
    A,
    B,
    effects_without_wakeups,
    request_for,
    scheduler_with_ready,
)

from gglib.core.errors import ModelLoadFailedError
from gglib.core.models import ModelLaunchSpec, ModelSettings
from gglib.runtime.scheduler.events import (
    BecameReady,
    Grant,
    Launch,
    LoadFailed,
    PinsChanged,
    Refuse,
    RequestEnded,
    Stop,
    Tick,
    WakeAt,
)
from gglib.runtime.scheduler.scheduler import Scheduler

NOT_KEPT = replace(A, keep_alive_s=0)
FOR_A_MINUTE = replace(A, keep_alive_s=60)
FOR_EVER = replace(A, keep_alive_s=math.inf, settings=ModelSettings(idle_ttl_s=60))


def test_0_unloads_after_the_request() -> None:
    """At once, without a timer."""
    scheduler = scheduler_with_ready(A)
    assert scheduler.handle(request_for(1, NOT_KEPT), 1) == [Grant(1, 1)]
    assert scheduler.handle(RequestEnded(1), 2) == [Stop(1)]


def test_0_waits_for_other_requests_in_flight() -> None:
    """Whichever ends last."""
    scheduler = scheduler_with_ready(A)
    scheduler.handle(request_for(1, A), 1)
    scheduler.handle(request_for(2, NOT_KEPT), 1)
    assert scheduler.handle(RequestEnded(2), 2) == []
    assert scheduler.handle(RequestEnded(1), 3) == [Stop(1)]


def test_the_last_request_counts() -> None:
    """A later one keeps the model as its own settings say."""
    scheduler = scheduler_with_ready(A)
    scheduler.handle(request_for(1, NOT_KEPT), 1)
    scheduler.handle(request_for(2, A), 1)
    assert scheduler.handle(RequestEnded(1), 2) == []
    assert scheduler.handle(RequestEnded(2), 3) == []
    scheduler.handle(request_for(3, FOR_A_MINUTE), 4)
    assert scheduler.handle(RequestEnded(3), 5) == [WakeAt(65)]
    assert effects_without_wakeups(scheduler.handle(Tick(), 65)) == [Stop(1)]


def test_for_ever_overrides_the_setting() -> None:
    """There is no timer."""
    scheduler = scheduler_with_ready(A)
    scheduler.handle(request_for(1, FOR_EVER), 1)
    assert scheduler.handle(RequestEnded(1), 2) == []
    assert effects_without_wakeups(scheduler.handle(Tick(), 10**6)) == []


def test_a_load_takes_it_from_its_requests() -> None:
    """All waiters are granted first; the newest one determines it."""
    scheduler = Scheduler()
    assert effects_without_wakeups(scheduler.handle(request_for(1, A), 0)) == [Launch(1, A, 8192)]
    scheduler.handle(request_for(2, NOT_KEPT), 0)
    assert effects_without_wakeups(scheduler.handle(BecameReady(1), 1)) == [Grant(1, 1), Grant(2, 1)]
    assert scheduler.handle(RequestEnded(2), 2) == []
    assert effects_without_wakeups(scheduler.handle(RequestEnded(1), 3)) == [Stop(1)]


def test_a_pinned_model_ignores_it() -> None:
    """It stays."""
    scheduler = scheduler_with_ready(A)
    scheduler.handle(PinsChanged(frozenset({A.model_id})), 0)
    scheduler.handle(request_for(1, NOT_KEPT), 1)
    assert effects_without_wakeups(scheduler.handle(RequestEnded(1), 2)) == []


def test_a_waiting_model_is_loaded_when_it_leaves() -> None:
    """The unload makes room at once."""
    scheduler = scheduler_with_ready(A)
    scheduler.handle(request_for(1, NOT_KEPT), 1)
    scheduler.handle(request_for(2, B), 1)
    assert effects_without_wakeups(scheduler.handle(RequestEnded(1), 2)) == [Stop(1)]


def test_it_does_not_change_the_back_off() -> None:
    """A model that failed to load is refused, whatever the next requests say."""
    scheduler = Scheduler()
    scheduler.handle(request_for(1, A), 0)
    scheduler.handle(LoadFailed(1, ModelLoadFailedError("a", "it is broken")), 1)
    for ticket, spec in enumerate((NOT_KEPT, FOR_A_MINUTE, FOR_EVER), 2):
        own = replace(spec, settings=A.settings)
        (refusal,) = effects_without_wakeups(scheduler.handle(request_for(ticket, own), 1))
        assert isinstance(refusal, Refuse)


@pytest.mark.parametrize(
    ("keep_alive_s", "setting_s", "ttl_s"),
    [(None, None, None), (None, 60, 60), (0, None, 0), (5, 60, 5), (math.inf, 60, None)],
)
def test_the_time_to_live_of_a_spec(
    keep_alive_s: float | None, setting_s: float | None, ttl_s: float | None
) -> None:
    """The request's, else the setting's. It is not part of the launch: specs that differ in it are equal."""
    spec = ModelLaunchSpec(
        model_id=A.model_id,
        model_name=A.model_name,
        path=A.path,
        settings=ModelSettings(idle_ttl_s=setting_s),
        keep_alive_s=keep_alive_s,
    )
    assert spec.idle_ttl_s == ttl_s
    assert spec == replace(spec, keep_alive_s=1)
    assert hash(spec) == hash(replace(spec, keep_alive_s=1))
