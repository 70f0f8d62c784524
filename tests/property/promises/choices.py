"""The choices of the state machines: hypothesis draws them, and so does ``walk`` with plain random numbers."""

from collections.abc import Sequence
from typing import Any, TypeVar

from hypothesis import strategies as st

T = TypeVar("T")

_VALUES: dict[int, Sequence[Any]] = {}
"""The values of each strategy, by its ``id``; the rules keep the strategies."""


def one_of(values: Sequence[T]) -> st.SearchStrategy[T]:
    """Return the strategy that draws one of ``values``; repeated values are drawn more often."""
    strategy = st.sampled_from(values)
    _VALUES[id(strategy)] = values
    return strategy


def values_of(strategy: object) -> Sequence[Any]:
    """Return the values of a strategy that ``one_of`` returned."""
    return _VALUES[id(strategy)]


NUMBERS = one_of(range(101))
"""Numbers to ``pick`` one of what is there."""
