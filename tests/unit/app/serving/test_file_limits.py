"""The number of connections for a number of file descriptors."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gglib.app.serving.file_limits import connections_that_fit, descriptors_for


@pytest.mark.parametrize(
    ("wanted", "descriptors", "fitting"),
    [(4096, 8256, 4096), (4096, 8255, 4095), (4096, 1024, 480), (10, 10**6, 10), (4096, 66, 1), (4096, 3, 1)],
)
def test_connections_that_fit(wanted: int, descriptors: int, fitting: int) -> None:
    """Two for each connection, and some for everything else; one connection is always allowed."""
    assert connections_that_fit(wanted, descriptors) == fitting


@given(st.integers(1, 10**6), st.integers(0, 10**7))
def test_connections_never_exceed_request_or_limit(wanted: int, descriptors: int) -> None:
    """And none that would fit is refused."""
    fitting = connections_that_fit(wanted, descriptors)
    assert 1 <= fitting <= wanted
    assert fitting == 1 or descriptors_for(fitting) <= descriptors
    assert fitting == wanted or descriptors_for(fitting + 1) > descriptors
