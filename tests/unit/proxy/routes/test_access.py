"""Which callers may use which route: ``docs/api.md#authorization``."""

import pytest

from gglib.proxy.routes.operation_spec import Access, OperationSpec
from gglib.proxy.routes.table import OPERATIONS

DESCRIBED = [operation.spec for operation in OPERATIONS]
OPEN = {("GET", "/gglib/models"), ("GET", "/gglib/models/{name}")}
"""Of the admin API: what any caller may use that may use a model."""


@pytest.mark.parametrize("described", DESCRIBED, ids=lambda spec: spec.id)
def test_admin_api_requires_authorization_except_the_list_of_models(described: OperationSpec) -> None:
    """A route below ``/gglib`` requires authorization or is listed in ``OPEN``; the dialects are for every caller."""
    is_admin = described.path.startswith("/gglib/") and (described.method, described.path) not in OPEN
    assert (described.access is Access.AUTHORIZED) is is_admin


def test_no_route_is_below_paths_of_other_dialects() -> None:
    """``/api`` belongs to Ollama and LM Studio."""
    assert [spec.path for spec in DESCRIBED if spec.path.startswith("/api")] == []
