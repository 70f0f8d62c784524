"""How the agent of a cluster finds and starts the gglib of its home."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.waiting import is_alive, wait_until

from gglib.app.cluster.home import ClusterHome
from gglib.app.cluster.served_home import AgentHome

from .conftest import Home

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="clusters need Linux")
OTHER_ADDRESS = "127.0.0.2"
"""Of this machine, but a server that listens on 127.0.0.1 cannot be reached there."""


@pytest.fixture
def served(home: Home) -> Iterator[AgentHome]:
    """Give the home of an agent; what it starts is ended."""
    ClusterHome(home.path).directory.mkdir()
    yield AgentHome(str(home.path), OTHER_ADDRESS)
    record = ClusterHome(home.path).read_serve_record()
    if record is not None and is_alive(record[0]):
        os.kill(record[0], signal.SIGTERM)
        wait_until(lambda: not is_alive(record[0]))


def test_one_is_started_for_other_machines(home: Home, served: AgentHome) -> None:
    """With a key; it is no child of the process that started it."""
    key = home.ok("key", "new", "cluster", "--admin").strip()
    assert served.find() is None
    assert not served.is_starting()
    served.start()
    assert served.is_starting()
    wait_until(lambda: (found := served.find()) is not None and found.url is not None)
    found = served.find()
    assert found is not None
    assert (found.key, found.problem) == (key, "")
    assert found.url is not None
    assert found.url.startswith(f"http://{OTHER_ADDRESS}:")
    os.truncate(ClusterHome(home.path).serve_log, 0)
    parent = int(Path(f"/proc/{found.pid}/stat").read_text().rpartition(")")[2].split()[1])
    assert parent != os.getpid()
    assert AgentHome(str(home.path), OTHER_ADDRESS).is_starting()  # another agent knows of it
    os.kill(found.pid, signal.SIGTERM)
    wait_until(lambda: not served.is_starting())
    printed = ClusterHome(home.path).serve_log.read_bytes()
    assert printed  # a file that was emptied has no hole before what follows
    assert b"\0" not in printed


def test_a_typo_in_the_settings_keeps_the_key(home: Home, served: AgentHome) -> None:
    """The gglib that runs keeps its settings, too; without the key, the front could not use the node."""
    key = home.ok("key", "new", "cluster", "--admin").strip()
    with home.serving():
        assert (found := served.find()) is not None
        assert found.key == key
        config = home.path / "config.toml"
        content = config.read_text()
        config.write_text(f"{content}\nport = \n")
        assert (found := served.find()) is not None
        assert found.key == key
        config.write_text("")
        assert (found := served.find()) is not None
        assert found.key is None


def test_one_that_cannot_start_says_why(served: AgentHome) -> None:
    """Here it has no key, and would serve other machines."""
    served.start()
    wait_until(lambda: not served.is_starting())
    assert served.find() is None
    assert "no access key is set" in served.exit_reason()


def test_one_that_serves_its_machine_only_is_a_problem(home: Home, served: AgentHome) -> None:
    """The user started it; the sentence says what to do."""
    with home.serving() as server:
        found = served.find()
        assert found is not None
        assert f"The gglib at {server.url} (pid {found.pid}) cannot be reached at" in found.problem
        assert "gglib stop --server" in found.problem
        assert found.key is None
