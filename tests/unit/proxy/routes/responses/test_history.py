"""Responses about usage."""

from gglib.core.history.usage import UsageRow
from gglib.proxy.routes.responses.history import Usage


def test_usage_has_its_sum() -> None:
    """The total is not grouped; without rows it is zero."""
    rows = (
        UsageRow(key="alice", requests=2, failed=1, prompt_tokens=10, completion_tokens=5, busy_s=1.5),
        UsageRow(key="", requests=1, prompt_tokens=1, cached_tokens=1),
    )
    total = UsageRow(requests=3, failed=1, prompt_tokens=11, completion_tokens=5, cached_tokens=1, busy_s=1.5)
    assert Usage.of(rows) == Usage(usage=rows, total=total)
    assert Usage.of(()).total == UsageRow()
