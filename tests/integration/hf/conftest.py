"""A fixture with one file on a local hub."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.hf.support import NAME, REPO, Pull, content

from gglib.testing.local_hub import LocalHub


@pytest.fixture
def pull(tmp_path: Path) -> Iterator[Pull]:
    """Yield a file of 4 MB on a hub."""
    with LocalHub() as hub:
        one = Pull(hub=hub, target=tmp_path / "models" / NAME, data=content(4_000_000))
        one.target.parent.mkdir()
        one.commit = hub.add_repository(REPO, {NAME: one.data})
        yield one
