"""Responses through gglib equal those of the bare engine. ``python -m scripts.differential`` compares 500 and more."""

from pathlib import Path

import pytest
from scripts.differential import compare, running_gglib
from scripts.differential_requests import paths
from tests.e2e.conftest import Gglib

pytestmark = pytest.mark.e2e


def test_generated_requests_have_the_same_responses(tmp_path: Path) -> None:
    """Every forwarded route, with and without streams."""
    with running_gglib(tmp_path, engine=Gglib.engine) as setup:
        outcome = compare(setup, seed=7, count=60)
    assert outcome.differences == []
    assert set(outcome.compared) == set(paths())
    assert outcome.undetermined <= 3
    assert outcome.streams >= 10
