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
from tests.support.terminal import CTRL_C, terminal
from tests.support.waiting import wait_until

from .conftest import Home, installed_program

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
    found: list[dict[str, Any]] = json.loads(home.ok("node", "list", "--json"))["nodes"]
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
        assert [model["name"] for model in node["models"]] == ["tiny"]
        assert (node["state"], node["waiting"]) == ("ready", 0)
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


def test_a_running_front_is_no_node_of_itself_and_needs_the_variable(stocked: Home, front: Home) -> None:
    """Even with ``--force``; the environment of the server is not that of the command."""
    key = stocked.ok("key", "new", "front", "--admin").strip()
    with stocked.serving() as node, front.serving() as server:
        words = ("node", "add", server.url, "--name", "me")
        assert "is this gglib itself" in front.refused(*words)
        assert "is this gglib itself" in front.refused(*words, "--force")
        assert nodes_of(front) == {}
        front.variables["BOX_KEY"] = key
        added = front.run("node", "add", node.url, "--name", "box", "--key-env", "BOX_KEY")
        assert "The running server needs BOX_KEY, too" in added.stderr
        wait_until(lambda: [shown["state"] for shown in listed(front)] == ["ready", "refused"])
        (*_, box) = listed(front)
        assert "also for 'gglib serve', which reads it when it starts" in box["failure"]
        server.end(signal.SIGTERM)
        node.end(signal.SIGTERM)


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
    front.variables["GGLIB_CLUSTER_ADDRESS"] = "127.0.0.1:9"
    for words in (("node", "drain", "box"), ("node", "remove", "box"), ("pull", "--to", "box", "ada/tiny")):
        assert "this command is not for nodes of a cluster" in front.refused(*words)


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


def test_a_model_is_limited_to_nodes(stocked: Home, front: Home) -> None:
    """A model of this machine, and one that only a node has; an empty pattern clears it."""
    with stocked.serving() as server:
        front.set(f'[nodes]\nbox = "{server.url}"')
        done = front.run("set", "tiny", "--nodes", "bo*", "--nodes", "tower")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == "'tiny' is served only by the nodes bo*, tower.\n"
        config = front.path / "config.toml"
        assert tomllib.loads(config.read_text())["model_nodes"] == {"tiny": ["bo*", "tower"]}
        assert front.ok("config", "get", "model_nodes.tiny").strip() == "bo*, tower"
        assert "no node matches gpu*" in front.run("set", "TINY", "--nodes", "gpu*").stderr
        assert tomllib.loads(config.read_text())["model_nodes"] == {"tiny": ["gpu*"]}
        found = json.loads(front.ok("set", "tiny", "--nodes", "", "--json"))
        assert found == {"model": "tiny", "nodes": []}
        assert "tiny" not in tomllib.loads(config.read_text()).get("model_nodes", {})
        assert front.ok("set", "tiny", "--nodes", "") == "'tiny' is served by all nodes.\n"
        front.ok("add", str(stocked.model_file), "--name", "tiny-own")
        # The whole name of a node's model comes before the beginning of another one's.
        assert "'tiny' is served only" in front.ok("set", "tiny", "--nodes", "box")
        assert "'tiny-own' is served only" in front.ok("set", "tiny-", "--nodes", "box")
        assert "'none'" in front.refused("set", "none", "--nodes", "box")
        assert "is not the name of a node" in front.refused("set", "tiny", "--nodes", "a b")
    done = stocked.run("set", "tiny", "--nodes", "box", "--ctx", "512")
    assert (done.returncode, "a command of its own" in done.stderr) == (2, True)
    stocked.ok("set", "tiny", "--nodes", "box")
    assert "model_nodes" in stocked.run("set", "tiny", "--name", "small").stderr


def test_commands_of_a_front_show_its_nodes(stocked: Home, front: Home) -> None:
    """As its server sees them: models in memory, and which node has which model."""
    with stocked.serving() as node:
        front.set(f'[nodes]\nbox = "{node.url}"')
        with front.serving() as server:
            own, box = listed(front)
            assert (own["is_own"], box["name"], box["state"]) == (True, "box", "ready")
            shown = front.run("node", "list").stdout.splitlines()
            assert [row.split()[0] for row in shown] == ["NAME", own["name"], "box"]
            assert front.ok("load", "tiny", "--node", "box").startswith("Loaded 'tiny' on box")
            wait_until(lambda: "ready" in front.ok("ps"))
            header, row = front.ok("ps").splitlines()[1:3]
            assert header.split()[:3] == ["MODEL", "NODE", "STATE"]
            assert row.split()[:3] == ["tiny", "box", "ready"]
            (_, in_ps) = json.loads(front.ok("ps", "--json"))["nodes"]
            assert [resident["model_name"] for resident in in_ps["residents"]] == ["tiny"]
            header, row = front.run("list").stdout.splitlines()
            assert header.split()[-2:] == ["STATE", "NODES"]
            assert row.split()[1] == "tiny"
            assert row.endswith("ready  box (ready)")
            (model,) = json.loads(front.ok("list", "--json"))
            assert model["nodes"] == [{"node": "box", "name": "tiny", "state": "ready"}]
            assert "box (ready)" in front.ok("show", "tiny")
            assert front.ok("unload", "tiny") == "Unloaded tiny on box.\n"
            sentence = "Model 'tiny' is only in the catalogues of nodes: run this command on one of them"
            assert sentence in front.refused("pin", "tiny")
            assert sentence in front.refused("--url", server.url, "set", "tiny", "--ctx", "2048")
            assert "There is no node 'bix'" in front.refused("load", "tiny", "--node", "bix")
            server.end(signal.SIGTERM)
        node.end(signal.SIGTERM)


def test_commands_show_the_nodes_of_a_cluster(stocked: Home, front: Home) -> None:
    """Which only the server knows, here those of its environment: the settings of a command have its address alone."""
    front.set('cluster_address = "127.0.0.1:9"')
    with stocked.serving() as node:
        front.variables["GGLIB_NODES"] = f"box={node.url}"
        with front.serving() as server:
            del front.variables["GGLIB_NODES"]
            wait_until(lambda: [shown["state"] for shown in listed(front)] == ["ready", "ready"])
            assert "box" in front.ok("list")
            assert "box" in front.ok("show", "tiny")
            assert front.ok("run", "tiny", "hello").strip()
            server.end(signal.SIGTERM)
        node.end(signal.SIGTERM)


def test_without_nodes_no_command_has_a_column(stocked: Home) -> None:
    """And the lists in JSON are empty."""
    with stocked.serving() as server:
        stocked.ok("load", "tiny")
        assert "NODE" not in stocked.ok("ps")
        assert json.loads(stocked.ok("ps", "--json"))["nodes"] == []
        assert "NODES" not in stocked.run("list").stdout
        assert "Nodes" not in stocked.ok("show", "tiny")
        assert json.loads(stocked.ok("list", "--json"))[0]["nodes"] == []
        server.end(signal.SIGTERM)


def test_doctor_has_a_line_for_each_node(stocked: Home, front: Home) -> None:
    """With what to do for one that cannot be used, which does not prevent this machine from serving."""
    with stocked.serving() as node:
        front.set(f'[nodes]\nbox = "{node.url}"\ngone = "{GONE}"\na-longer-name = "{GONE}"')
        lines = front.run("doctor").stdout.splitlines()
        assert f"ok    node box           {node.url} is ready, gglib 0.1.0" in lines
        assert [
            line for line in lines if line.startswith("warn  node a-longer-name Node 'a-longer-name' at ")
        ]
        checks = {check["name"]: check for check in json.loads(front.run("doctor", "--json").stdout)}
        assert checks["node box"]["verdict"] == "ok"
        assert checks["node gone"]["verdict"] == "warn"
        assert "check that 'gglib serve' runs there" in checks["node gone"]["detail"]
        node.end(signal.SIGTERM)


def test_live_views_follow_the_nodes(stocked: Home, front: Home) -> None:
    """A model that a node loads appears without an event of the front's own machine."""
    with stocked.serving() as node:
        front.set(f'[nodes]\nbox = "{node.url}"')
        with front.serving() as server:
            for command in (("ps", "--watch"), ("top", "--interval", "0.2")):
                words = (str(installed_program()), *command)
                with terminal(words, env=front.environment, columns=120, rows=40) as screen:
                    screen.wait_until(lambda shown: "gglib at" in shown or "NODES" in shown)
                    stocked.ok("load", "tiny")
                    screen.wait_until(lambda shown: "tiny" in shown and "box" in shown)
                    stocked.ok("unload", "tiny")
                    screen.wait_until(lambda shown: "tiny" not in shown)
                    screen.send(CTRL_C)
                    screen.wait_for_exit()
            server.end(signal.SIGTERM)
        node.end(signal.SIGTERM)
