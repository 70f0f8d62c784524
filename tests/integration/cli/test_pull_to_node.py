"""``gglib pull --to NODE`` with a real server as the node, and a local hub."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.preloaded import PreloadedProcess
from tests.support.waiting import LIMIT_S, wait_until

from gglib.testing.local_hub import LocalHub

from .conftest import Home, Running, installed_program

REPO = "ada/tiny-GGUF"
LARGE = 8_000_000
PAUSE = 5_000_000
GONE = "http://127.0.0.1:9"
"""Nothing listens there."""


@pytest.fixture
def front() -> Iterator[Home]:
    """Yield the home of the gglib that knows nodes; it has no model."""
    path = Path(tempfile.mkdtemp(prefix="gg-front-"))
    yield Home(path)
    shutil.rmtree(path)


@pytest.fixture
def hub(home: Home) -> Iterator[LocalHub]:
    """Yield the hub of the node, with a small repository and a large one."""
    content = home.model_file.read_bytes()
    with LocalHub() as hub:
        hub.add_repository(REPO, {"tiny-Q4_K_M.gguf": content})
        hub.add_repository("ada/large", {"large-Q4_K_M.gguf": content + bytes(LARGE - len(content))})
        home.variables = {
            "HF_ENDPOINT": hub.url,
            "NO_PROXY": "127.0.0.1,localhost",
            "HF_HOME": str(home.path),
        }
        yield hub


@pytest.fixture
def node(home: Home, hub: LocalHub, front: Home) -> Iterator[Running]:
    """Yield the server of the node ``box``, which requires a key."""
    front.variables["BOX_KEY"] = home.ok("key", "new", "front", "--admin").strip()
    with home.serving() as server:
        front.set(f'[nodes.box]\nurl = "{server.url}"\nkey_env = "BOX_KEY"')
        yield server


@pytest.mark.usefixtures("node")
def test_a_node_downloads_a_model(home: Home, front: Home) -> None:
    """With progress and the model as JSON; this machine downloads nothing."""
    events = [json.loads(line) for line in front.ok("pull", "--to", "box", REPO, "--json").splitlines()]
    assert events[-1]["event"] == "done"
    assert events[-1]["model"]["name"] == "tiny-Q4_K_M"
    assert "tiny-Q4_K_M" in home.ok("list")
    assert front.ok("list") == ""
    done = front.run("pull", "--to", "box", REPO)
    assert "Pulled 'tiny-Q4_K_M'" in done.stdout
    assert "Another gglib" not in done.stderr


@pytest.mark.usefixtures("node")
def test_what_cannot_be_pulled_is_explained(front: Home) -> None:
    """An unknown node with the names of all; a node's own error; a key that is missing; other options."""
    front.set(f'[nodes.tower]\nurl = "{GONE}"')
    assert "There is no node 'bax': the nodes are box, tower." in front.refused("pull", "--to", "bax", REPO)
    assert "ada/none" in front.refused("pull", "--to", "box", "ada/none")
    assert "check that 'gglib serve' runs there" in front.refused("pull", "--to", "tower", REPO)
    front.variables["BOX_KEY"] = ""
    assert "Node 'box' requires a key" in front.refused("pull", "--to", "box", REPO)
    done = front.run("pull", "--to", "box", REPO, "--name", "other")
    assert (done.returncode, "takes only TARGET" in done.stderr) == (2, True)
    (front.path / "config.toml").write_text("port = 0\n")
    assert "'gglib node add URL' adds one" in front.refused("pull", "--to", "box", REPO)


def test_ctrl_c_leaves_the_download_running(home: Home, front: Home, node: Running, hub: LocalHub) -> None:
    """The command says so."""
    gate = hub.pause_after("large-Q4_K_M.gguf", PAUSE)
    with PreloadedProcess(
        [installed_program(), "pull", "--to", "box", "ada/large", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=front.environment,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        os.kill(process.pid, signal.SIGINT)
        _, stderr = process.communicate(timeout=LIMIT_S)
    assert f"The download continues on {node.url}." in stderr
    gate.release()
    wait_until(lambda: "large-Q4_K_M" in home.ok("list"))
