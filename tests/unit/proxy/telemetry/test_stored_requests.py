"""Which requests are stored."""

from dataclasses import replace

import pytest

from gglib.core.history.records import RequestRecord
from gglib.proxy.telemetry.stored_requests import is_stored

BASE = RequestRecord("GET", "/v1/models", None, 200, "r", None, None, 0.0, 1, False, None)


@pytest.mark.parametrize(
    ("method", "path", "status", "waited_s", "expected"),
    [
        ("GET", "/v1/models", 200, None, False),
        ("HEAD", "/gglib/status", 200, None, False),
        ("OPTIONS", "/v1/chat/completions", 204, None, False),
        ("POST", "/api/show", 200, None, False),
        ("GET", "/gglib/events", 499, None, False),
        ("GET", "/gglib/events", None, None, False),
        ("GET", "/gglib/status", 401, None, True),
        ("GET", "/v1/nosuch", 404, None, True),
        ("POST", "/api/show", 404, None, True),
        ("GET", "/favicon.ico", 404, None, False),
        ("GET", "/web/0123/app.js", 404, None, False),
        ("GET", "/web/0123/app.js", 403, None, True),
        ("GET", "/ready", 503, None, False),
        ("GET", "/slots", 200, 0.0, True),
        ("POST", "/v1/chat/completions", 499, None, True),
        ("POST", "/v1/chat/completions", None, None, True),
        ("POST", "/v1/chat/completions", 200, 0.1, True),
        ("POST", "/gglib/stop", 200, None, True),
        ("DELETE", "/gglib/models/{name}", 200, None, True),
        ("", "", 400, None, True),
    ],
)
def test_what_is_stored(
    method: str, path: str, status: int | None, waited_s: float | None, *, expected: bool
) -> None:
    """What a model served, what changed something, and what failed."""
    record = replace(BASE, method=method, path=path, status=status, waited_s=waited_s)
    assert is_stored(record) is expected
