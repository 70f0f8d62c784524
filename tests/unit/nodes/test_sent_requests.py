"""The front's own requests are counted by node and model, now and since the last snapshot."""

import pytest

from gglib.nodes.sent_requests import SentRequests


def test_requests_are_counted_by_node_and_model() -> None:
    """One that ends is subtracted."""
    sent = SentRequests()
    for node, model in (("a", "m"), ("a", "m"), ("a", "n"), ("b", "m")):
        sent.started(node, model)
    sent.ended("a", "n")
    assert (sent.count("a", "m"), sent.count("a", "n"), sent.count("b", "m"), sent.count("c", "m")) == (
        2,
        0,
        1,
        0,
    )
    assert sent.models("a") == ("m",)
    assert sent.models("c") == ()


def test_only_what_changed_since_the_snapshot_is_added_to_it() -> None:
    """Requests that ended since then are negative."""
    sent = SentRequests()
    sent.started("a", "m")
    assert sent.since_snapshot("a", "m") == 1
    sent.snapshot_arrived("a")
    assert sent.since_snapshot("a", "m") == 0
    sent.started("a", "n")
    sent.ended("a", "m")
    assert (sent.since_snapshot("a", "m"), sent.since_snapshot("a", "n")) == (-1, 1)


def test_an_end_without_a_start_is_an_error() -> None:
    """It would make a node look emptier than it is."""
    with pytest.raises(ValueError, match="No request for 'm' was sent to 'a'"):
        SentRequests().ended("a", "m")


def test_a_copy_is_independent() -> None:
    """Choices are tried out in it."""
    sent = SentRequests()
    sent.started("a", "m")
    sent.snapshot_arrived("a")
    trial = sent.copy()
    trial.started("a", "m")
    trial.started("b", "m")
    assert (sent.count("a", "m"), sent.count("b", "m"), trial.count("a", "m")) == (1, 0, 2)
    assert trial.since_snapshot("a", "m") == 1


def test_totals_are_those_of_one_node_or_of_all() -> None:
    """For all models."""
    sent = SentRequests()
    for node, model in (("a", "m"), ("a", "n"), ("b", "m")):
        sent.started(node, model)
    assert (sent.total, sent.total_at("a"), sent.total_at("c")) == (3, 2, 0)
    sent.ended("a", "m")
    assert (sent.total, sent.total_at("a")) == (2, 1)
