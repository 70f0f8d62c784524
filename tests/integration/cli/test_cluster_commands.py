"""``gglib cluster`` and the settings of a cluster, without Ray. With it: ``tests/ray``."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from tests.support import fake_ray
from tests.support.waiting import wait_until

from .conftest import Home

needs_no_ray = pytest.mark.skipif(importlib.util.find_spec("ray") is not None, reason="Ray is installed")
only_linux = pytest.mark.skipif(sys.platform != "linux", reason="clusters need Linux")


@only_linux
@needs_no_ray
@pytest.mark.parametrize(
    "words",
    [("cluster", "init"), ("cluster", "status"), ("node", "join", "box:6379", "--token-file", "token")],
)
def test_without_ray_one_sentence_has_the_command_that_installs_it(
    home: Home, words: tuple[str, ...]
) -> None:
    """Nothing else happens."""
    before = sorted(home.path.iterdir())
    assert home.refused(*words) == "Clusters need Ray, which is not installed: pip install 'gglib[ray]'"
    assert sorted(home.path.iterdir()) == before


def test_a_home_without_a_part_cannot_leave(home: Home) -> None:
    """The sentence says how to join."""
    assert "gglib node join" in home.refused("node", "leave")


@only_linux
def test_a_server_imports_nothing_of_ray_and_goes_on_without_a_cluster(home: Home) -> None:
    """This Ray fails when it is imported: the sidecar fails, the server does not, and says so in its log."""
    package = home.path / "fake/ray/__init__.py"
    package.parent.mkdir(parents=True)
    package.write_text(
        f"open({str(home.path / 'imported')!r}, 'a').write('x')\nraise ImportError('a fake')\n"
    )
    home.variables["PYTHONPATH"] = f"{package.parents[1]}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    with home.foreground("serve", first_words="Listening on", process_class=subprocess.Popen) as server:
        assert not (home.path / "imported").exists()
        assert home.ok("config", "set", "cluster_address", "127.0.0.1:9")
        wait_until(lambda: "The connection to the cluster" in log_of(home))
        assert (home.path / "imported").exists()  # by the sidecar
        assert home.ok("ps", "--json")
        assert server.end(signal.SIGTERM) == 0
    assert "Traceback" not in log_of(home)
    assert sidecars(home) == []


@only_linux
@needs_no_ray
def test_a_server_says_that_its_cluster_needs_ray(home: Home) -> None:
    """It starts without it."""
    home.set('cluster_address = "127.0.0.1:9"')
    with home.serving():
        assert "cluster_address is set, and not used: Clusters need Ray" in log_of(home)


@only_linux
def test_commands_show_the_nodes_of_a_cluster(stocked: Home, tmp_path: Path) -> None:
    """As those by address, although no setting has their names; only a download needs an address."""
    front = Home(tmp_path)
    front.set('cluster_address = "127.0.0.1:9"')
    with stocked.serving() as node:
        front.variables[fake_ray.NODE_VARIABLE] = f"box={node.url}"
        front.variables["PYTHONPATH"] = f"{fake_ray.DIRECTORY}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
        with front.foreground("serve", first_words="Listening on", process_class=subprocess.Popen) as server:
            wait_until(lambda: "tiny" in front.ok("list"))
            found = json.loads(front.ok("node", "list", "--json"))["nodes"]
            assert [(node["name"], node["state"]) for node in found[1:]] == [("box", "ready")]
            (model,) = json.loads(front.ok("list", "--json"))
            assert model["nodes"] == [{"node": "box", "name": "tiny", "state": None}]
            assert "box" in front.ok("show", "tiny")
            done = front.run("set", "tin", "--nodes", "b*")
            assert (done.returncode, "no node matches" in done.stderr) == (0, False)
            assert "no node matches gpu*" in front.run("set", "tiny", "--nodes", "gpu*").stderr
            config = tomllib.loads((front.path / "config.toml").read_text())
            assert config["model_nodes"] == {"tiny": ["gpu*"]}
            refused = front.refused("pull", "--to", "box", "ada/tiny")
            assert "is not for nodes of a cluster: run 'gglib pull' on that machine" in refused
            assert server.end(signal.SIGTERM) == 0
        done = front.run("set", "tiny", "--nodes", "b*")
        assert (done.returncode, "'tiny'" in done.stderr) == (1, True)  # its names are not known now
        node.end(signal.SIGTERM)


def log_of(home: Home) -> str:
    """Return the log of the server."""
    return (home.path / "logs/gglib.log").read_text()


def sidecars(home: Home) -> list[Path]:
    """Return the processes that follow a cluster for this home."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            is_sidecar = b"gglib.nodes.ray.sidecar" in (process / "cmdline").read_bytes()
            if is_sidecar and str(home.path).encode() in (process / "environ").read_bytes():
                found.append(process)
        except OSError:
            continue
    return found
