"""A hub, and a home that asks it."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from gglib.testing.local_hub import LocalHub

from .world import Home, Hub, new_place


@pytest.fixture
def hub() -> Iterator[Hub]:
    """Yield a hub without repositories."""
    with LocalHub() as local:
        yield Hub(local)


@pytest.fixture
def place() -> Iterator[Path]:
    """Yield a directory that is deleted afterwards."""
    path = new_place()
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def home(place: Path, hub: Hub) -> Home:
    """Return a home."""
    return Home(place / "home", hub)


@pytest.fixture
def other(place: Path, hub: Hub) -> Home:
    """Return a second home, to see where things go that are pulled."""
    return Home(place / "other", hub)
