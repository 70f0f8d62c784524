"""Which callers may use which route: ``docs/api.md#authorization``."""

import pytest

from gglib.proxy.routes.operation import Access, OperationSpec
from gglib.proxy.routes.table import OPERATIONS

DESCRIBED = [one.spec for one in OPERATIONS]
OPEN = {("GET", "/gglib/models"), ("GET", "/gglib/models/{name}")}
"""Of the admin API: what any caller may use that may use a model."""


@pytest.mark.parametrize("described", DESCRIBED, ids=lambda one: one.id)
def test_all_of_the_admin_api_is_trusted_but_the_list_of_models(described: OperationSpec) -> None:
    """A route that is added below ``/gglib`` is trusted, or stands in ``OPEN``; the dialects are for every caller."""
    is_admin = described.path.startswith("/gglib/") and (described.method, described.path) not in OPEN
    assert (described.access is Access.AUTHORIZED) is is_admin


def test_no_route_is_below_what_belongs_to_other_dialects() -> None:
    """``/api`` is Ollama's and LM Studio's."""
    assert [one.path for one in DESCRIBED if one.path.startswith("/api")] == []
