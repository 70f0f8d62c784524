"""The files of an engine stay on the disk until no engine uses them, whatever happens to the model meanwhile."""

import json
import os
import signal
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.waiting import wait_until

from gglib.testing import Script, install_scripted_server, read_record

from .world import MMPROJ, Q4, VISION, Home, Hub, assert_is, assert_nothing_unexplained, files_of

EYES = f"{VISION}:Q4_K_M"


class Served:
    """A server with scripted engines."""

    def __init__(self, home: Home, url: str, record: Path) -> None:
        self._home = home
        self._url = url
        self._record = record

    def ask(self) -> None:
        """Request a completion of the model."""
        body = {"model": EYES, "prompt": "hi", "max_tokens": 1}
        request = urllib.request.Request(  # noqa: S310 - the URL of a test server
            f"{self._url.removesuffix('/').removesuffix('/v1')}/v1/completions",
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=60) as answer:
            assert answer.status == 200
            answer.read()

    def starts(self) -> list[str]:
        """Return the model files of all engine starts."""
        if not self._record.exists():
            return []
        return [str(event) for event in read_record(self._record) if event["event"] == "start"]

    def pids(self) -> list[int]:
        """Return the process ids of all engines that were started."""
        if not self._record.exists():
            return []
        return [event["pid"] for event in read_record(self._record) if event["event"] == "start"]


@pytest.fixture
def served(home: Home, hub: Hub) -> Iterator[Served]:
    """Yield a server whose home has one model, in its first version."""
    hub.vision(1)
    home.ok("pull", EYES)
    record = home.path / "record.jsonl"
    engine = install_scripted_server(home.path / "bin", Script(record=str(record)))
    (home.path / "config.toml").write_text(f'engine = "{engine}"\n', encoding="utf-8")
    with home.serving() as server:
        assert server.stdout is not None
        served = Served(home, home.url, record)
        yield served
        pids = served.pids()
        server.send_signal(signal.SIGTERM)
        server.wait(60)
    for pid in pids:
        if Path(f"/proc/{pid}").exists():
            os.kill(pid, signal.SIGKILL)


def _is_alive(pid: int) -> bool:
    """Whether a process exists and is not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class TestHeld:
    def test_an_update_leaves_what_an_engine_has(self, home: Home, hub: Hub, served: Served) -> None:
        """The older files stay while the engine uses them; a later request is served by the newer version."""
        served.ask()
        old, engine = files_of(home.row(EYES)), served.pids()[-1]
        two = hub.vision(2)
        home.ok("pull", EYES)
        assert_is(home.row(EYES), [two[Q4], two[MMPROJ]])
        # An idle engine is unloaded as soon as the server sees the update; until then its files stay.
        assert all(path.exists() for path in old) or not _is_alive(engine)
        new = files_of(home.row(EYES))

        def is_answered_by_the_newer_one() -> bool:
            served.ask()  # a server sees another process's write a moment later
            return str(new[0]) in served.starts()[-1]

        wait_until(is_answered_by_the_newer_one)
        assert str(old[0]) not in served.starts()[-1]
        wait_until(lambda: home.run("list").returncode == 0 and not any(path.exists() for path in old))
        assert_nothing_unexplained(home)

    @pytest.mark.parametrize("command", [("rm", EYES, "--files"), ("rm", EYES)])
    def test_a_removal_leaves_what_an_engine_has(
        self, home: Home, served: Served, command: tuple[str, ...]
    ) -> None:
        """The files are deleted once the engine has been unloaded."""
        served.ask()
        old = files_of(home.row(EYES))
        home.ok(*command)
        home.run("prune", "--yes")
        engine = served.pids()[-1]
        assert all(path.exists() for path in old) or not _is_alive(engine)
        home.ok("stop")
        wait_until(
            lambda: home.run("prune", "--yes").returncode == 0 and not any(path.exists() for path in old)
        )
