"""Fixtures: a local hub, and homes that use it."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from gglib.testing.local_hub import LocalHub

from .tools import close_shared_tools
from .world import Home, Hub, new_place


@pytest.fixture(scope="session", autouse=True)
def _shared_tools_end() -> Iterator[None]:
    """Stop the shared hub and fork server; a worker of a parallel run may skip ``atexit``."""
    yield
    close_shared_tools()


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
    """Return a second home, used to find the target paths of a pull."""
    return Home(place / "other", hub)
