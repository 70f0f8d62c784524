"""A node's gglib brings its raylet back. With Ray: ``tests/ray``."""

import asyncio
import errno
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.waiting import until

from gglib.app.cluster import rejoining
from gglib.app.cluster.home import ClusterHome, ClusterPart
from gglib.nodes.ray import raylet
from gglib.nodes.ray.environment import MARK_VARIABLE
from gglib.nodes.ray.raylet import marked_processes, start_ray, stop_ray

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="clusters need Linux")
MARK = f"test-{os.getpid()}"


def part(*, is_head: bool = False) -> ClusterPart:
    """Return the part of a home."""
    return ClusterPart(
        is_head=is_head, name="box", address="127.0.0.1:9", node_ip="127.0.0.1", first_port=6400, mark=MARK
    )


def test_only_a_node_without_a_raylet_is_lost(tmp_path: Path) -> None:
    """Not a home without a part, nor one with a broken record."""
    home = ClusterHome(tmp_path)
    assert not rejoining.is_lost(home)
    home.directory.mkdir()
    home.write(part(is_head=True))
    assert not rejoining.is_lost(home)
    home.write(part())
    assert rejoining.is_lost(home)
    (home.directory / "node.json").write_text("{")
    assert not rejoining.is_lost(home)


async def test_a_failure_is_logged_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """And it is tried again; the end of the block ends it."""
    home = ClusterHome(tmp_path)
    home.directory.mkdir()
    home.write(part())
    tries: list[ClusterHome] = []

    async def fail(home: ClusterHome) -> str:
        tries.append(home)
        return "The head cannot be reached."

    monkeypatch.setattr(rejoining, "LOOK_S", 0.01)
    monkeypatch.setattr(rejoining, "MAX_LOOK_S", 0.02)
    monkeypatch.setattr(rejoining, "_rejoin", fail)
    with caplog.at_level(logging.WARNING, logger="gglib.nodes"):
        async with rejoining.rejoined_when_lost(tmp_path):
            await until(lambda: len(tries) > 2)
    count = len(tries)
    await asyncio.sleep(0.1)
    assert len(tries) == count
    assert len([record for record in caplog.records if "cannot be reached" in record.message]) == 1


async def test_a_lack_of_resources_does_not_end_the_attempts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A process cannot be started while there is no memory or no descriptor for it."""
    home = ClusterHome(tmp_path)
    home.directory.mkdir()
    home.write(part())
    tries: list[int] = []

    async def fail(*_: str, **_given: object) -> None:
        tries.append(1)
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(rejoining, "LOOK_S", 0.01)
    monkeypatch.setattr(rejoining, "MAX_LOOK_S", 0.02)
    monkeypatch.setattr(asyncio, "create_subprocess_exec", fail)
    with caplog.at_level(logging.WARNING, logger="gglib.nodes"):
        async with rejoining.rejoined_when_lost(tmp_path):
            await until(lambda: len(tries) > 2)
    assert len([record for record in caplog.records if "Too many open files" in record.message]) == 1


async def test_a_home_that_has_left_is_not_joined(tmp_path: Path) -> None:
    """The record may be removed between the look and the attempt."""
    assert await rejoining._rejoin(ClusterHome(tmp_path)) == ""
    assert not (tmp_path / "cluster").exists()


def test_all_marked_processes_are_ended(tmp_path: Path) -> None:
    """Also those that ignore SIGTERM, their children, and no others."""
    ignoring = "trap '' TERM; sleep 600 & echo started; wait"
    marked = subprocess.Popen(
        ["/bin/sh", "-c", ignoring],
        env={**os.environ, MARK_VARIABLE: MARK},
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    other = subprocess.Popen(["sleep", "600"], env={**os.environ, MARK_VARIABLE: f"{MARK}-other"})
    try:
        assert marked.stdout is not None
        marked.stdout.readline()
        assert len(marked_processes(MARK)) == 2
        assert stop_ray(MARK) == []
        assert marked_processes(MARK) == []
        assert marked_processes(f"{MARK}-other") == [other.pid]
    finally:
        other.kill()
        other.wait()
        marked.kill()
        marked.communicate()


def test_ctrl_c_during_a_start_leaves_no_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They have a session of their own, which the terminal's Ctrl-C does not reach."""

    def interrupted(process: "subprocess.Popen[bytes]", *_: object) -> None:
        assert marked_processes(MARK) == [process.pid]
        raise KeyboardInterrupt

    monkeypatch.setattr(raylet, "_wait", interrupted)
    environment = {**os.environ, MARK_VARIABLE: MARK}
    try:
        with pytest.raises(KeyboardInterrupt):
            start_ray(["sleep", "600"], environment, tmp_path / "log", address="h:1", first_port=6400)
        assert marked_processes(MARK) == []
    finally:
        stop_ray(MARK)
