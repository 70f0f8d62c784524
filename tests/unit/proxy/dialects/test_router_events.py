"""Runtime events in the form of llama.cpp's router."""

import json
from typing import Any

import pytest

from gglib.core.runtime.events import (
    EventsLost,
    ModelLoadFailed,
    ModelLoading,
    ModelReady,
    ModelStopping,
    ModelUnloaded,
    RequestQueued,
    RuntimeEvent,
)
from gglib.proxy.dialects.router_events import router_event

NAME = 'a/b "c"'


@pytest.mark.parametrize(
    ("event", "name", "data"),
    [
        (
            ModelLoading(model_id=1, model_name=NAME, effective_ctx=512, expected_s=1.0),
            "model_status",
            {"status": "loading"},
        ),
        (ModelReady(model_id=1, model_name=NAME, load_s=1.0), "status_change", {"status": "loaded"}),
        (
            ModelLoadFailed(model_id=1, model_name=NAME, reason="x"),
            "status_change",
            {"status": "unloaded", "exit_code": 1},
        ),
        (
            ModelUnloaded(model_id=1, model_name=NAME, died=None),
            "status_change",
            {"status": "unloaded", "exit_code": 0},
        ),
        (
            ModelUnloaded(model_id=1, model_name=NAME, died="signal 9"),
            "status_change",
            {"status": "unloaded", "exit_code": 1},
        ),
    ],
)
def test_loads_and_unloads_have_the_routers_form(
    event: RuntimeEvent, name: str, data: dict[str, Any]
) -> None:
    """One line of data without an event name."""
    part = router_event(event)
    assert part is not None
    assert part.startswith(b"data: ")
    assert part.endswith(b"\n\n")
    assert part.count(b"\n") == 2
    assert json.loads(part[len(b"data: ") :]) == {"model": NAME, "event": name, "data": data}


def test_lost_events_make_clients_read_the_list_again() -> None:
    """The router's own event for it."""
    part = router_event(EventsLost())
    assert part is not None
    assert json.loads(part[len(b"data: ") :]) == {"model": "*", "event": "models_reload"}


@pytest.mark.parametrize(
    "event",
    [
        ModelStopping(model_id=1, model_name=NAME, reason="idle"),
        RequestQueued(model_name=NAME, request_id="r"),
    ],
)
def test_other_events_are_not_sent(event: RuntimeEvent) -> None:
    """The router has none for them."""
    assert router_event(event) is None
