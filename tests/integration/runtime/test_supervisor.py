"""The supervisor over a small server, and the lock on a home."""

import asyncio
import json
import os
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from gglib.app.serving.instance import lock_instance, running_instance
from gglib.app.serving.supervisor import ProxyConfig, ProxySupervisor
from gglib.core.addresses import Endpoint
from gglib.core.errors import AlreadyRunningError, GglibError, InvalidSettingError
from gglib.core.ports import ModelCatalogPort, ModelRuntimePort
from gglib.testing import FakeCatalog, FakeRuntime


async def serve_nothing(
    listener: socket.socket,
    default_ctx: int,
    runtime: ModelRuntimePort,
    catalog: ModelCatalogPort,
    cancel: asyncio.Event,
) -> None:
    """Hold the socket until stopped."""
    with listener:
        await cancel.wait()


async def crash(
    listener: socket.socket,
    default_ctx: int,
    runtime: ModelRuntimePort,
    catalog: ModelCatalogPort,
    cancel: asyncio.Event,
) -> None:
    """Raise at once."""
    listener.close()
    raise RuntimeError("boom")


PORTS = (FakeRuntime({}), FakeCatalog())


async def test_it_binds_first_and_reports_the_real_address() -> None:
    """With port 0 ``start`` returns an address that accepts connections."""
    supervisor = ProxySupervisor(serve_nothing)
    assert supervisor.status().state == "stopped"
    url = await supervisor.start(ProxyConfig(port=0), *PORTS)
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=1):
        pass
    assert (supervisor.status().state, supervisor.status().url) == ("running", url)
    await supervisor.stop()
    assert supervisor.status().state == "stopped"


async def test_listening_everywhere_it_names_an_address_that_can_be_asked() -> None:
    """``0.0.0.0`` is not an address for clients."""
    supervisor = ProxySupervisor(serve_nothing)
    url = await supervisor.start(ProxyConfig(host="0.0.0.0", port=0), *PORTS)  # noqa: S104 - the case under test
    assert url.startswith("http://127.0.0.1:")
    await supervisor.stop()


async def test_it_refuses_a_second_start_and_can_be_restarted() -> None:
    """Only one proxy runs at a time; it can start again after a stop."""
    supervisor = ProxySupervisor(serve_nothing)
    await supervisor.start(ProxyConfig(port=0), *PORTS)
    with pytest.raises(AlreadyRunningError):
        await supervisor.start(ProxyConfig(port=0), *PORTS)
    await supervisor.stop()
    await supervisor.stop()
    await supervisor.start(ProxyConfig(port=0), *PORTS)
    await supervisor.stop()
    await supervisor.wait()


async def test_a_crash_is_reported_and_can_be_started_over() -> None:
    """The status has the cause, ``wait`` raises, and a new start is allowed."""
    supervisor = ProxySupervisor(crash)
    await supervisor.start(ProxyConfig(port=0), *PORTS)
    with pytest.raises(GglibError, match="boom"):
        await supervisor.wait()
    assert supervisor.status().state == "crashed"
    await supervisor.start(ProxyConfig(port=0), *PORTS)
    with pytest.raises(GglibError):
        await supervisor.wait()


@pytest.mark.parametrize(
    ("host", "message"),
    [
        ("127.0.0.1", "--port"),
        ("no.such.host.invalid", "not an address of this machine: set 'host'"),
        ("203.0.113.1", "not an address of this machine: set 'host'"),  # RFC 5737: of documents only
    ],
)
async def test_an_address_that_cannot_be_had_is_one_sentence(host: str, message: str) -> None:
    """The message says how to fix it instead of an errno."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InvalidSettingError, match=message):
            await ProxySupervisor(serve_nothing).start(ProxyConfig(host=host, port=port), *PORTS)


def test_who_looks_whether_one_runs_keeps_none_from_starting(tmp_path: Path) -> None:
    """``gglib ps`` in a loop briefly takes the lock; a start waits for that moment instead of failing."""
    looking = threading.Event()

    def poll() -> None:
        while not looking.is_set():
            running_instance(tmp_path)

    thread = threading.Thread(target=poll)
    thread.start()
    try:
        for _ in range(100):
            with lock_instance(tmp_path):
                pass
    finally:
        looking.set()
        thread.join()


def test_the_note_with_the_key_is_for_its_owner_alone(tmp_path: Path) -> None:
    """Its permissions are private even if a crash left a readable draft, and with a umask of 0."""
    draft = tmp_path / "instance.json.new"
    draft.write_text("{}")
    draft.chmod(0o666)
    before = os.umask(0)
    try:
        with lock_instance(tmp_path) as held:
            held.publish("http://127.0.0.1:1234", key="SECRET-key")
            assert stat.S_IMODE((tmp_path / "instance.json").stat().st_mode) == 0o600
            instance = running_instance(tmp_path)
    finally:
        os.umask(before)
    assert instance is not None
    assert instance.endpoint == Endpoint("http://127.0.0.1:1234", "SECRET-key")
    assert "SECRET" not in repr(instance) + repr(instance.endpoint)


def test_without_a_key_the_note_says_nothing_of_one(tmp_path: Path) -> None:
    """Without a configured key none is written, and before the server listens there is no address."""
    with lock_instance(tmp_path) as held:
        starting = running_instance(tmp_path)
        held.publish("http://127.0.0.1:1234")
        assert "key" not in json.loads((tmp_path / "instance.json").read_text())
        running = running_instance(tmp_path)
    assert starting is not None
    assert starting.endpoint is None
    assert running is not None
    assert running.endpoint == Endpoint("http://127.0.0.1:1234")


def test_one_gglib_for_each_home(tmp_path: Path) -> None:
    """The second one fails and names the first one's address; once that has ended, even killed, the home is free."""
    assert running_instance(tmp_path) is None
    program = (
        "import sys, time; from pathlib import Path; from gglib.app.serving.instance import lock_instance\n"
        "with lock_instance(Path(sys.argv[1])) as held:\n"
        "    held.publish('http://127.0.0.1:1234'); print('held', flush=True); time.sleep(60)"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert other.stdout is not None
    assert other.stdout.readline() == "held\n"
    with pytest.raises(AlreadyRunningError, match=r"http://127\.0\.0\.1:1234"), lock_instance(tmp_path):
        pass
    instance = running_instance(tmp_path)
    assert instance is not None
    assert (instance.pid, instance.url) == (other.pid, "http://127.0.0.1:1234")
    left = (tmp_path / "instance.json").read_text()
    other.kill()
    other.communicate()
    assert running_instance(tmp_path) is None
    with lock_instance(tmp_path):
        (tmp_path / "instance.json").write_text(left)
        assert running_instance(tmp_path) is None, "a note of one that is gone was believed"
    with lock_instance(tmp_path):
        pass
