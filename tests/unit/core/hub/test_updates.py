"""The size of a newer version."""

import pytest

from gglib.core.hub.updates import FileChange, Upstream, UpstreamCheck
from gglib.core.models import ModelSummary


@pytest.mark.parametrize(
    ("sizes", "total"), [((), None), ((1, 2), 3), ((1, None), None), ((None,), None), ((0,), 0)]
)
def test_size_of_an_update_is_that_of_all_changed_files(
    sizes: tuple[int | None, ...], total: int | None
) -> None:
    """Unknown without a change, or if a file is gone."""
    changes = tuple(
        FileChange(name="f", old_sha256=None, new_sha256=None, new_size_bytes=size) for size in sizes
    )
    model = ModelSummary(id=1, name="m")
    check = UpstreamCheck(model=model, repo="a/m", state=Upstream.CHANGED, target=None, changes=changes)
    assert check.new_size_bytes == total
