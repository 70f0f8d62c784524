"""The sentence for a user who waits for the first token of 'small'."""

from typing import Any

import pytest

from gglib.cli.views.waiting import wait_text

QUEUED = [{"model_name": "small", "waiting": 1, "longest_wait_s": 12.0}]


def resident(name: str, state: str, in_flight: int = 0, **fields: object) -> dict[str, Any]:
    """Return a resident of a status."""
    return {"model_name": name, "state": state, "in_flight": in_flight, **fields}


@pytest.mark.parametrize(
    ("residents", "waiting", "expected"),
    [
        (
            [resident("small", "loading", loading_for_s=2.1, expected_load_s=5.2)],
            QUEUED,
            "Loading 'small': 2.1 s of about 5 s",
        ),
        ([resident("small", "ready", 1)], [], "Waiting for a response from 'small': 12 s"),
        ([resident("small", "draining", 1)], [], "Waiting for a response from 'small': 12 s"),
        (
            [resident("small", "draining", 2)],
            QUEUED,
            "Waiting for 'small' to finish its responses (in flight 2), then loading 'small' again: 12 s",
        ),
        ([resident("small", "stopping")], QUEUED, "Unloading 'small', then loading 'small' again: 12 s"),
        ([resident("small", "ready")], QUEUED, "Queued for 'small': 12 s"),
        ([], QUEUED, "Queued for 'small': 12 s"),
        ([], [], "Queued for 'small': 12 s"),
        ([resident("big", "ready")], QUEUED, "Queued for 'small': 12 s"),
        (
            [resident("big", "ready", 1)],
            QUEUED,
            "Waiting for 'big' to finish its response (in flight 1), then loading 'small': 12 s",
        ),
        (
            [resident("big", "draining", 3)],
            QUEUED,
            "Waiting for 'big' to finish its responses (in flight 3), then loading 'small': 12 s",
        ),
        ([resident("big", "stopping")], QUEUED, "Unloading 'big', then loading 'small': 12 s"),
        ([resident("big", "loading")], QUEUED, "Waiting for 'big' to load, then loading 'small': 12 s"),
        (
            [resident("a", "ready", 1), resident("b", "draining", 1), resident("c", "loading")],
            QUEUED,
            "Waiting for 'b' to finish its response (in flight 1), then loading 'small': 12 s",
        ),
        (
            [resident("a", "ready", 1), resident("b", "ready", 1), resident("c", "ready")],
            QUEUED,
            "Waiting for 'a' or 'b' to finish its responses (in flight 2), then loading 'small': 12 s",
        ),
        (
            [resident("a", "stopping"), resident("small", "loading")],
            QUEUED,
            "Loading 'small' ...",
        ),
    ],
)
def test_each_situation_has_its_sentence(
    residents: list[dict[str, Any]], waiting: list[dict[str, Any]], expected: str
) -> None:
    """The next event that the request waits for is named, with its waiting time."""
    assert wait_text({"residents": residents, "waiting": waiting}, "small", 12.9) == expected


def test_granted_request_shows_no_other_model() -> None:
    """In any state of the other residents, a ready model without waiters is answering."""
    status = {"residents": [resident("big", "stopping"), resident("small", "ready", 1)], "waiting": []}
    assert wait_text(status, "small", 65) == "Waiting for a response from 'small': 1 min 5 s"
