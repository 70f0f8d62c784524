"""Fixtures: homes of an older gglib and of this one, with real files and a real catalogue."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from tests.integration.library.homes.old_home import OldHome

from gglib.app.models.catalog import open_catalog
from gglib.app.settings import Settings
from gglib.db import SqliteCatalog
from gglib.testing import write_tiny_gguf

Open = Callable[[Path], AbstractAsyncContextManager[SqliteCatalog]]
Write = Callable[..., Path]


@pytest.fixture
def old(tmp_path: Path) -> OldHome:
    """Return an empty home of an older gglib."""
    return OldHome(tmp_path / "home")


@pytest.fixture(name="open_home")
def opener() -> Open:
    """Return a function that opens a home as every command does."""
    return lambda directory: open_catalog(Settings(home=directory))


@pytest.fixture
def write() -> Write:
    """Return a writer of tiny models: each seed gives a different file."""

    def put(path: Path, seed: int = 0) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        return write_tiny_gguf(path, seed=seed, chat_template=None)

    return put
