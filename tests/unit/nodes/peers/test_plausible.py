"""Numbers that can be those of a machine."""

import math

import pytest

from gglib.core.memory import DeviceMemory
from gglib.nodes.peers.plausible import LARGEST_FLOAT, LARGEST_INTEGER, is_plausible


@pytest.mark.parametrize("value", [None, "", True, 0, -1, LARGEST_INTEGER, 0.0, -LARGEST_FLOAT, object()])
def test_usual_numbers_are_plausible(value: object) -> None:
    """And what is no number."""
    assert is_plausible(value)
    assert is_plausible((value, {"ram": value}))


@pytest.mark.parametrize(
    "value", [LARGEST_INTEGER + 1, -LARGEST_INTEGER - 1, 10**400, 1e13, math.inf, -math.inf, math.nan]
)
def test_numbers_that_no_machine_has_are_found_wherever_they_are(value: float) -> None:
    """In tuples, mappings and dataclasses."""
    assert not is_plausible(value)
    assert not is_plausible((0, (value,)))
    assert not is_plausible({"ram": value})
    assert not is_plausible(DeviceMemory(total_bytes=1, available_bytes=value))  # type: ignore[arg-type]
