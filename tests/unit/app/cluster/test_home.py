"""What a home knows of its part in a cluster."""

import os
import re
import stat
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from gglib.app.cluster.home import ClusterHome, ClusterPart
from gglib.app.cluster.leaving import leave
from gglib.app.cluster.served_home import MAX_LOG_BYTES, AgentHome, node_key
from gglib.app.nodes import cluster_of, own_name
from gglib.app.settings import Settings
from gglib.app.settings.node_tables import NodeSetting
from gglib.core.api_keys import ApiKey
from gglib.core.errors import InvalidSettingError

PART = ClusterPart(is_head=False, name="box", address="h:6379", node_ip="10.0.0.2", first_port=6400, mark="m")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ClusterHome:
    """Give a prepared home."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    home = ClusterHome(tmp_path / "home")
    home.prepare()
    return home


def test_a_part_is_kept(home: ClusterHome) -> None:
    """Until it is removed, with all else but Ray's messages."""
    assert home.read() is None
    home.write(PART)
    home.make_token()
    home.storage.mkdir()
    home.ray_log.write_text("messages")
    assert home.read() == PART
    home.remove()
    assert home.read() is None
    assert list(home.directory.iterdir()) == [home.ray_log]
    assert not home.temp_dir.exists()


def test_a_token_is_made_once(home: ClusterHome) -> None:
    """A head that starts again has the same one; only its owner can read it."""
    home.make_token()
    token = home.token_file.read_text()
    assert len(token) == 64
    home.make_token()
    assert home.token_file.read_text() == token
    home.keep_token("another")
    assert home.token_file.read_text() == "another"
    assert stat.S_IMODE(home.token_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(home.directory.stat().st_mode) == 0o700
    assert stat.S_IMODE(home.temp_dir.stat().st_mode) == 0o700


@pytest.mark.parametrize("content", ["{", "[]", '{"name": "box"}'])
def test_a_broken_record_says_what_removes_it(home: ClusterHome, content: str) -> None:
    """A crash or an editor left it."""
    (home.directory / "node.json").write_text(content)
    with pytest.raises(InvalidSettingError) as caught:
        leave(Settings(home=home.home))  # as all other commands: the processes are not known
    ((_, command),) = re.findall(r"""\): (['"])(.*)\1 ends""", str(caught.value))
    assert command.startswith(f"pkill -9 -f {home.temp_dir.name}; ")
    subprocess.run(["/bin/sh", "-c", command.partition("; ")[2]], check=True)
    assert home.read() is None


def test_a_directory_that_cannot_be_used(tmp_path: Path) -> None:
    """The sentence has its path."""
    (tmp_path / "file").touch()
    with pytest.raises(InvalidSettingError, match="cannot be created"):
        ClusterHome(tmp_path / "file").prepare()


def test_ray_needs_short_paths(tmp_path: Path) -> None:
    """Two homes have two directories."""
    one, other = ClusterHome(tmp_path / ("x" * 200)), ClusterHome(tmp_path)
    assert len(one.temp_dir.name) < 25
    assert one.temp_dir != other.temp_dir


def test_the_process_of_a_home_is_known(home: ClusterHome) -> None:
    """Another agent reads it."""
    assert home.read_serve_record() is None
    home.write_serve_record(7, "start")
    assert home.read_serve_record() == (7, "start")
    home.serve_record.write_text("{}")
    assert home.read_serve_record() is None


def test_changes_wait_for_one_another(home: ClusterHome) -> None:
    """Two commands must not start two raylets."""
    with home.locked():
        assert (home.home / "run/cluster.lock").exists()
    with home.locked():
        pass


def test_the_key_for_fronts() -> None:
    """That of the cluster, else another admin key; others would not do."""
    cluster, other, user = (
        ApiKey.admin("cluster-key"),
        ApiKey.admin("other-key"),
        ApiKey(key="user-key", models=("*",)),
    )
    home = Path("/")
    assert node_key(Settings(home=home)) is None
    assert node_key(Settings(home=home, api_keys={"user": user})) is None
    assert node_key(Settings(home=home, api_keys={"a": other, "cluster": cluster})) == "cluster-key"
    assert node_key(Settings(home=home, api_keys={"user": user, "a": other, "cluster": user})) == "other-key"


def test_exit_reason(home: ClusterHome) -> None:
    """The last line of what it printed."""
    agent = AgentHome(str(home.home), "10.0.0.2")
    assert agent.exit_reason() == "It ended without a message."
    home.serve_log.write_text("Engine: x\nError: The port is in use.\n\n")
    assert agent.exit_reason() == "The port is in use."


def test_the_log_of_a_gglib_does_not_fill_the_disk(home: ClusterHome) -> None:
    """It has a line for each request."""
    agent = AgentHome(str(home.home), "10.0.0.2")
    for size, expected in ((MAX_LOG_BYTES, MAX_LOG_BYTES), (MAX_LOG_BYTES + 1, 0)):
        home.serve_log.write_bytes(b"x" * size)
        assert agent.find() is None
        assert home.serve_log.stat().st_size == expected


def test_the_cluster_of_the_settings(home: ClusterHome, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the address by which this home takes part, if it does."""
    monkeypatch.setattr("gglib.app.nodes.unavailable", lambda *_, **_given: None)
    settings = Settings(home=home.home, cluster_address="h:6379")
    assert cluster_of(Settings(home=home.home)) is None
    found = cluster_of(settings)
    assert found is not None
    assert (found.address, found.token_file, found.node_ip) == ("h:6379", home.token_file, None)
    home.write(PART)
    found = cluster_of(settings)
    assert found is not None
    assert found.node_ip == "10.0.0.2"
    (home.directory / "node.json").write_text("{")
    found = cluster_of(settings)
    assert found is not None
    assert found.node_ip is None
    monkeypatch.setattr("gglib.app.nodes.unavailable", lambda *_, **_given: "It needs Linux.")
    assert cluster_of(settings) is None


def test_the_name_of_this_machine_is_that_in_the_cluster(
    home: ClusterHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No other node of the cluster has it, but one may be called like this host; a node by address may have either."""
    monkeypatch.setattr("platform.node", lambda: "rack.example")
    box = NodeSetting(url="http://127.0.0.1:9")
    assert own_name(Settings(home=home.home, cluster_address="h:6379")) == "rack"
    home.write(replace(PART, is_head=True, name="head"))
    assert own_name(Settings(home=home.home)) == "rack"
    assert own_name(Settings(home=home.home, cluster_address="h:6379")) == "head"
    assert own_name(Settings(home=home.home, cluster_address="h:6379", nodes={"head": box})) == "head-front"
    assert own_name(Settings(home=home.home, nodes={"rack": box})) == "rack-front"


def test_the_directory_of_another_user_is_not_used(
    home: ClusterHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another user may have made it, with a path that can be guessed."""
    monkeypatch.setattr(os, "getuid", lambda: 4242)
    with pytest.raises(InvalidSettingError, match="belongs to another user"):
        home.prepare()
