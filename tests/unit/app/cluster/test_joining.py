"""What a home knows after a join or a start that fails. With Ray: ``tests/ray``."""

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest

from gglib.app.cluster import joining
from gglib.app.cluster.home import ClusterHome, ClusterPart
from gglib.app.cluster.joining import PartOptions, join, start_head
from gglib.app.settings import Settings, load_settings
from gglib.app.settings.config_reader import read_content
from gglib.app.settings.config_writer import add_key
from gglib.core.errors import InvalidSettingError, NodeError

NODE = ClusterPart(is_head=False, name="box", address="h:6379", node_ip="10.0.0.2", first_port=6400, mark="m")
HEAD = ClusterPart(
    is_head=True, name="head", address="10.0.0.1:6379", node_ip="10.0.0.1", first_port=6400, mark="m"
)
FAILURES = (NodeError("The head does not answer."), KeyboardInterrupt())


@pytest.fixture
def stopped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """Give the marks of the processes that are ended. No process of Ray is started, and none runs."""
    marks: list[str] = []
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    monkeypatch.setattr(joining, "require_ray", lambda: None)
    monkeypatch.setattr(joining, "is_running", lambda _part: False)
    monkeypatch.setattr(joining, "start_ray", lambda *_, **_given: None)
    monkeypatch.setattr(joining, "stop_ray", marks.append)
    monkeypatch.setattr(joining, "_ensure_key", lambda _settings: False)
    return marks


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Give the settings of a home."""
    return Settings(home=tmp_path / "home")


def failing(error: BaseException) -> Callable[..., NoReturn]:
    """Return a function that raises this."""

    def fail(*_: Any, **_given: Any) -> NoReturn:
        raise error

    return fail


@pytest.mark.parametrize("error", FAILURES)
def test_a_node_that_runs_outlives_a_join_that_fails(
    settings: Settings, stopped: list[str], monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    """The same command again, with the token of another cluster, or while the head is away."""
    home = known(settings, NODE)
    monkeypatch.setattr(joining, "is_running", lambda _part: True)
    monkeypatch.setattr(joining, "exchange", failing(error))
    with pytest.raises(type(error)):
        join(settings, PartOptions(), NODE.address, "wrong")
    assert stopped == []
    assert (home.read(), home.read_token()) == (NODE, "right")


@pytest.mark.parametrize("error", FAILURES)
def test_a_node_that_has_ended_stays_one_of_its_cluster(
    settings: Settings, stopped: list[str], monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    """A join of another cluster that fails does not keep it from coming back."""
    home = known(settings, NODE)
    monkeypatch.setattr(joining, "exchange", failing(error))
    with pytest.raises(type(error)):
        join(settings, PartOptions(), "other:6379", "other")
    assert set(stopped) == {"m"}
    assert (home.read(), home.read_token()) == (NODE, "right")


@pytest.mark.parametrize("error", FAILURES)
def test_a_first_join_that_fails_leaves_nothing(
    settings: Settings, stopped: list[str], monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    """Neither a process nor a token."""
    home = ClusterHome(settings.home)
    monkeypatch.setattr(joining, "exchange", failing(error))
    with pytest.raises(type(error)):
        join(settings, PartOptions(name="box", node_ip="10.0.0.2"), NODE.address, "token")
    assert len(set(stopped)) == 1
    assert list(home.directory.iterdir()) == []


def test_another_name_replaces_the_one_before(
    settings: Settings, stopped: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the cluster would list the node twice, and no machine could remove the first name."""
    known(settings, NODE)
    done: list[tuple[str, str]] = []

    def exchange(_home: ClusterHome, part: ClusterPart, action: str, **_given: Any) -> dict[str, Any]:
        done.append((action, part.name))
        return {"report": None}

    monkeypatch.setattr(joining, "exchange", exchange)
    join(settings, PartOptions(), NODE.address, "right")
    assert done == [("create", "box")]
    join(settings, PartOptions(name="new"), NODE.address, "right")
    assert done[1:] == [("create", "new"), ("remove", "box")]
    join(settings, PartOptions(name="newer"), "other:6379", "right")
    assert done[3:] == [("create", "newer")]  # another cluster


def test_a_join_that_fails_leaves_no_key(
    settings: Settings, stopped: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With it, all clients of this home would need one. A key that was there before stays."""
    monkeypatch.undo()
    monkeypatch.setattr(joining, "require_ray", lambda: None)
    monkeypatch.setattr(joining, "start_ray", lambda *_, **_given: None)
    monkeypatch.setattr(joining, "exchange", lambda *_, **_given: {"taken_at": "10.0.0.3"})
    options = PartOptions(name="box", node_ip="10.0.0.2")
    with pytest.raises(NodeError, match="--name"):
        join(settings, options, NODE.address, "token")
    assert not read_content(settings.config_path).get("api_keys")
    add_key(settings.config_path, "cluster", {"key": "k" * 32, "admin": True})
    with pytest.raises(NodeError, match="--name"):
        join(load_settings({"home": settings.home}, {}), options, NODE.address, "token")
    assert load_settings({"home": settings.home}, {}).api_keys["cluster"].is_admin
    assert stopped == []  # no process was to be ended


def test_a_join_keeps_its_token(
    settings: Settings, stopped: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A head that was set up anew has another one."""
    home = known(settings, NODE)
    monkeypatch.setattr(joining, "exchange", lambda *_, **_given: {"report": None})
    assert join(settings, PartOptions(), NODE.address, "new") == (NODE, None)
    assert (home.read(), home.read_token()) == (NODE, "new")
    assert stopped == ["m"]  # before the start


@pytest.mark.parametrize("error", FAILURES)
@pytest.mark.parametrize("before", [None, HEAD])
@pytest.mark.usefixtures("stopped")
def test_a_head_that_does_not_start_is_what_it_was(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, before: ClusterPart | None, error: BaseException
) -> None:
    """So the next start needs no other options, and a home that was no head can join a cluster."""
    home = ClusterHome(settings.home) if before is None else known(settings, before)
    monkeypatch.setattr(joining, "start_ray", failing(error))
    with pytest.raises(type(error)):
        start_head(settings, PartOptions(name="new", node_ip="10.0.0.9", first_port=7000), 7100)
    assert home.read() == before


@pytest.mark.usefixtures("stopped")
def test_a_head_that_runs_keeps_its_port(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another one would lead the front and the other machines to a port where nothing listens."""
    home = known(settings, HEAD)
    monkeypatch.setattr(joining, "is_running", lambda _part: True)
    with pytest.raises(InvalidSettingError, match="gglib node leave"):
        start_head(settings, PartOptions(), 7000)
    assert home.read() == HEAD
    assert start_head(settings, PartOptions(), 6379) == (HEAD, False)


@pytest.mark.usefixtures("stopped")
def test_a_port_of_another_program_is_found_before_ray_is_started(settings: Settings) -> None:
    """Redis has the same one, and Ray takes what listens there for a head that does not answer."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(InvalidSettingError) as caught:
            start_head(settings, PartOptions(name="head", node_ip="127.0.0.1"), port)
    assert str(caught.value) == f"Port {port} is in use by another program: pass --port with another one."
    home = ClusterHome(settings.home)
    assert not home.temp_dir.exists()
    assert list(home.directory.iterdir()) == []


def known(settings: Settings, part: ClusterPart) -> ClusterHome:
    """Return a home that has this part in a cluster."""
    home = ClusterHome(settings.home)
    home.prepare()
    home.keep_token("right")
    home.write(part)
    return home
