"""Which callers may use which route: ``docs/api.md#authorization``."""

import pytest

from gglib.proxy.routes.operation_spec import Access, OperationSpec
from gglib.proxy.routes.table import OPERATIONS

DESCRIBED = [operation.spec for operation in OPERATIONS]
OPEN = {("GET", "/gglib/models"), ("GET", "/gglib/models/{name}"), ("GET", "/gglib/usage")}
"""Of the admin API: what any caller may use that may use a model."""
OLLAMA_ADMIN = {
    ("POST", "/api/pull"),
    ("DELETE", "/api/delete"),
    ("POST", "/api/copy"),
    ("POST", "/api/create"),
    ("GET", "/api/blobs/{digest}"),
    ("POST", "/api/blobs/{digest}"),
    ("POST", "/api/push"),
}
"""Of Ollama's API: what changes the models of this machine, or is refused."""
ENGINE_WRITES = {
    ("POST", "/props"),
    ("POST", "/slots/{id}"),
    ("POST", "/lora-adapters"),
    ("POST", "/models/load"),
    ("POST", "/models/unload"),
    ("GET", "/models/sse"),
}
"""Of llama.cpp's own routes: what changes an engine or the models in memory, and the events of all models."""


@pytest.mark.parametrize("described", DESCRIBED, ids=lambda spec: spec.id)
def test_admin_api_requires_an_admin_except_the_list_of_models(described: OperationSpec) -> None:
    """A route below ``/gglib`` requires an admin or is listed in ``OPEN``; the dialects are for every caller.

    Routes of the dialects that change models or engines are the exception.
    """
    route = (described.method, described.path)
    is_admin = described.path.startswith("/gglib/") and route not in OPEN
    assert (described.access is Access.ADMIN) is (is_admin or route in OLLAMA_ADMIN | ENGINE_WRITES)


def test_metrics_are_for_admin_keys() -> None:
    """They show all models and the usage of all keys; without keys Prometheus may be on another machine."""
    by_key = {described.path for described in DESCRIBED if described.access is Access.ADMIN_KEY}
    assert by_key == {"/metrics"}


def test_ollama_and_lm_studio_own_the_paths_below_api() -> None:
    """No route of gglib's own is below ``/api``."""
    below = {spec.path: spec.group for spec in DESCRIBED if spec.path.startswith("/api")}
    lm_studio = {below.pop(path) for path in ("/api/v0/models", "/api/v1/models")}
    assert set(below.values()) == {"Ollama's API"}
    assert len(lm_studio) == 1
