"""The expected duration of a load: measured there, else from other loads."""

import pytest
from tests.unit.nodes.cluster import LOAD_S, a_model, a_node

from gglib.core.runtime.status import LoadCount
from gglib.nodes.load_times import LoadTimes

LARGE = a_model("large", sha256="bb", gib=9)
MODELS = (a_model(), LARGE)


def loaded(name: str, total_s: float, *, count: int = 1, outcome: str = "ready") -> LoadCount:
    """Return finished loads of a model."""
    return LoadCount(model_name=name, outcome=outcome, count=count, total_s=total_s)


def test_the_size_decides_before_the_first_load() -> None:
    """As at a node itself; a model of unknown size is expected to be small."""
    times = LoadTimes()
    times.note(a_node("a", models=MODELS))
    assert times.expected_s("a", a_model()) == pytest.approx(LOAD_S, abs=0.3)
    assert times.expected_s("a", a_model(gib=None)) == pytest.approx(2.0)


def test_the_mean_of_a_nodes_loads_comes_first() -> None:
    """Failed loads do not count."""
    times = LoadTimes()
    times.note(
        a_node("a", models=MODELS, loads=(loaded("m", 6.0, count=2), loaded("m", 99.0, outcome="failed")))
    )
    assert times.expected_s("a", a_model()) == pytest.approx(3.0)
    times.note(a_node("a", models=MODELS, loads=(loaded("m", 15.0, count=3),)))
    assert times.expected_s("a", a_model()) == pytest.approx(5.0)


def test_other_loads_of_the_node_and_then_of_others_scale_the_estimate() -> None:
    """A node that loads one model in half of the estimate loads another one in half of it, and so do unknown nodes."""
    half = LoadTimes().expected_s("a", a_model()) / 2
    times = LoadTimes()
    times.note(a_node("a", models=MODELS, loads=(loaded("m", half),)))
    expected = LoadTimes().expected_s("a", LARGE) / 2
    assert times.expected_s("a", LARGE) == pytest.approx(expected)
    assert times.expected_s("b", LARGE) == pytest.approx(expected)


def test_loads_of_models_that_the_node_no_longer_has_say_nothing() -> None:
    """Their size is unknown."""
    times = LoadTimes()
    times.note(a_node("a", models=MODELS, loads=(loaded("gone", 100.0),)))
    assert times.expected_s("a", a_model()) == pytest.approx(LOAD_S, abs=0.3)
