"""Fixtures for several machines on one: they need namespaces, else the tests are skipped with the reason."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.cluster.scenarios import cluster
from tests.support.network.cluster import HostCluster
from tests.support.network.network import missing


@pytest.fixture(scope="session", autouse=True)
def _namespaces() -> None:
    """Skip where hosts cannot be made."""
    if (reason := missing()) is not None:
        pytest.skip(reason)


@pytest.fixture(scope="module")
def short_path() -> Iterator[Path]:
    """Yield a directory with a short path: that of a unix socket is limited to about 100 bytes."""
    path = Path(tempfile.mkdtemp(prefix="gn-"))
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def machines(short_path: Path) -> Iterator[HostCluster]:
    """Yield a front and two nodes, each on a host of its own."""
    with cluster(short_path) as running:
        yield running
