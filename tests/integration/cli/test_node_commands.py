"""``gglib node`` with real servers as nodes."""

import json
import shutil
import signal
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.waiting import wait_until

from .conftest import Home

GONE = "http://127.0.0.1:9"
"""Nothing listens there."""


@pytest.fixture
def front() -> Iterator[Home]:
    """Yield the home of the gglib that knows nodes."""
    path = Path(tempfile.mkdtemp(prefix="gg-front-"))
    yield Home(path)
    shutil.rmtree(path)


def nodes_of(home: Home) -> dict[str, Any]:
    """Return the table of nodes in ``config.toml``."""
    table: dict[str, Any] = tomllib.loads((home.path / "config.toml").read_text()).get("nodes", {})
    return table


def listed(home: Home) -> list[dict[str, Any]]:
    """Return what ``gglib node list --json`` prints."""
    found: list[dict[str, Any]] = json.loads(home.ok("node", "list", "--json"))
    return found


def test_a_node_is_added_listed_drained_and_removed(stocked: Home, front: Home) -> None:
    """It is probed first; the key is in a variable."""
    key = stocked.ok("key", "new", "front", "--admin").strip()
    front.variables["BOX_KEY"] = key
    with stocked.serving() as server:
        done = front.run("node", "add", server.url, "--name", "box", "--key-env", "BOX_KEY")
        assert done.returncode == 0, done.stderr
        header, row = done.stdout.splitlines()
        assert header.split()[:3] == ["NAME", "STATE", "ADDRESS"]
        assert row.split()[:5] == ["box", "ready", server.url, "0.1.0", "1"]
        assert f"Node 'box' is in {front.path / 'config.toml'}." in done.stderr
        assert nodes_of(front) == {"box": {"url": server.url, "key_env": "BOX_KEY"}}
        assert key not in (front.path / "config.toml").read_text()
        stocked.ok("load", "tiny")
        (node,) = listed(front)
        assert [resident["model_name"] for resident in node["residents"]] == ["tiny"]
        assert (node["state"], node["models"], node["waiting"]) == ("ready", ["tiny"], 0)
        assert front.ok("config", "get", "nodes.box").strip() == server.url
        front.ok("node", "drain", "box")
        assert [node["state"] for node in listed(front)] == ["draining"]
        front.ok("node", "add", server.url, "--name", "box", "--key-env", "BOX_KEY")
        assert nodes_of(front)["box"]["drain"] is True
        front.ok("node", "drain", "box", "--undo")
        assert nodes_of(front) == {"box": {"url": server.url, "key_env": "BOX_KEY"}}
        assert front.ok("node", "remove", "box") == "Removed the node 'box'.\n"
        assert nodes_of(front) == {}
        server.end(signal.SIGTERM)


def test_a_node_that_cannot_be_used_is_not_added(stocked: Home, front: Home) -> None:
    """The sentence says what to do; ``--force`` adds it anyway, and the list has the reason."""
    stocked.ok("key", "new", "front", "--admin")
    user = stocked.ok("key", "new", "user").strip()
    front.variables["BOX_KEY"] = user
    with stocked.serving() as server:
        assert "Node 'box' requires a key" in front.refused("node", "add", server.url, "--name", "box")
        words = ("node", "add", server.url, "--name", "box", "--key-env", "BOX_KEY")
        assert "The key in BOX_KEY has no admin rights" in front.refused(*words)
    assert "check that 'gglib serve' runs there" in front.refused("node", "add", GONE, "--name", "box")
    assert nodes_of(front) == {}
    front.ok("node", "add", GONE, "--name", "box", "--force")
    done = front.run("node", "list")
    assert done.returncode == 0
    assert done.stdout.splitlines()[1].split()[:3] == ["box", "down", GONE]
    assert "cannot be reached" in done.stderr


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("ftp://box",), "The address of a node must be like box"),
        (("box", "--key-env", "sk-SECRET"), "--key-env must be the name of an environment variable"),
        (("box", "--name", "a b"), "'a b' cannot be the name of a node"),
        (("box", "--name", "url"), "'url' cannot be the name of a node"),
        (("https://box:1", "--ca", "missing.pem"), "missing.pem cannot be read"),
        (("http://old.other:9",), "There is a node 'old' at http://127.0.0.1:9: pass --name"),
    ],
)
def test_a_wrong_word_is_explained(front: Home, words: tuple[str, ...], sentence: str) -> None:
    """Before anything is sent; a value that may be a key is not shown."""
    front.set(f'[nodes]\nold = "{GONE}"')
    if "--ca" in words:
        words = ("https://127.0.0.1:1", "--name", "box", "--ca", "missing.pem")
    refusal = front.refused("node", "add", *words)
    assert sentence in refusal
    assert "SECRET" not in refusal
    assert nodes_of(front) == {"old": GONE}


def test_a_key_that_is_sent_without_encryption_is_warned_of(front: Home) -> None:
    """To another machine; the address is of a network for documentation, where nothing answers."""
    front.variables["BOX_KEY"] = "an-admin-key"
    done = front.run("node", "add", "http://192.0.2.1:9", "--key-env", "BOX_KEY")
    assert done.returncode == 1
    assert "Warning: the API key is sent to http://192.0.2.1:9 without encryption" in done.stderr
    assert "an-admin-key" not in done.stderr


def test_unknown_nodes_are_explained(front: Home) -> None:
    """With a near name, if there is one."""
    assert front.run("node", "list").stderr + front.run("node", "list").stdout
    assert "'gglib node add URL' adds one" in front.refused("node", "remove", "box")
    front.set(f'[nodes]\nbox = "{GONE}"')
    assert "box" in front.refused("node", "drain", "bix")
    assert "'gglib node add URL' adds a node" in front.refused("config", "set", "nodes.box", "http://box")
    assert "'gglib node add URL' adds a node" in front.refused("config", "set", "nodes", "box=box")
    front.ok("config", "unset", "nodes.box")
    assert nodes_of(front) == {}


def test_nodes_of_the_environment_override_the_file(front: Home) -> None:
    """A change of the file warns of it."""
    front.set(f'[nodes]\nbox = "{GONE}"')
    front.variables["GGLIB_NODES"] = f"other={GONE}"
    assert [node["name"] for node in listed(front)] == ["other"]
    assert "the nodes in use are from GGLIB_NODES" in front.refused("node", "remove", "other")
    assert "GGLIB_NODES is set in the environment" in front.run("node", "remove", "box").stderr


def test_a_node_that_restarts_is_another_run(stocked: Home) -> None:
    """Its instance id changes, so that the catalogue is read again; its readiness is shown."""
    seen: list[str] = []
    for _ in range(2):
        with stocked.serving() as server:
            status = json.loads(stocked.ok("ps", "--json"))
            assert status["readiness"] == "ready"
            seen.append(status["instance"])
            server.end(signal.SIGTERM)
        wait_until(lambda: json.loads(stocked.ok("ps", "--json"))["server"] is None)
    assert all(seen)
    assert seen[0] != seen[1]
