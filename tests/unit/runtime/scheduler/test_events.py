"""The scheduler's events and effects as values."""

from pathlib import Path

import pytest

from gglib.core.models import ModelLaunchSpec
from gglib.runtime.scheduler.events import Eviction, Launch, Stop, StopReason

A = ModelLaunchSpec(model_id=1, model_name="a", path=Path("/a.gguf"))


@pytest.mark.parametrize(
    ("reason", "is_final"),
    [
        (StopReason.IDLE, False),
        (StopReason.OVERDUE, False),
        (StopReason.UNWANTED, False),
        (StopReason.TOO_SMALL, False),
        (StopReason.EXPIRED, False),
        (StopReason.SILENT, True),
        (StopReason.ASKED, True),
        (StopReason.REMOVED, True),
        (StopReason.CHANGED, True),
        (StopReason.UPDATED, True),
    ],
)
def test_a_stop_for_the_sake_of_a_waiter_is_not_final(reason: StopReason, *, is_final: bool) -> None:
    """An eviction is cancelled when its waiter leaves; a stop for another reason happens in any case."""
    assert reason.is_final is is_final


def test_an_explanation_does_not_change_an_effect() -> None:
    """Effects are equal if they do the same, whatever ticket or reason they are for."""
    assert Launch(1, A, 8192, ticket=7) == Launch(1, A, 8192)
    assert Stop(1, Eviction(StopReason.IDLE, 0.0)) == Stop(1)
    assert Launch(1, A, 8192) != Launch(1, A, 4096)
