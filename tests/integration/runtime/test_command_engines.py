"""Models that are served by a command: real processes, launched, probed, swapped and stopped like engines."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.support import command_program
from tests.support.waiting import is_alive, wait_until

from gglib.core.backends import CommandBackend
from gglib.core.errors import ModelLoadFailedError, ModelOutOfMemoryError
from gglib.core.models import ModelSettings, ModelSummary, RunningTarget
from gglib.http.client.connect import ServerAddress
from gglib.http.client.one_shot import OneShotRequest, request_once
from gglib.runtime import EngineManager, LaunchConfig, LocalLauncher, RuntimeConfig
from gglib.runtime.engines import find_engine
from gglib.runtime.engines.command import engine as command_engine
from gglib.runtime.engines.command.ports import ReservedPort
from gglib.runtime.local.readiness import is_healthy
from gglib.testing import FakeCatalog, Script, install_scripted_server

PROGRAM = (sys.executable, command_program.__file__)


class Home:
    """A home with one llama.cpp model, ``a``, and the command models that a test adds."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "a.gguf").write_bytes(b"GGUF")
        self.models = [ModelSummary(id=1, name="a", paths=(path / "a.gguf",))]
        self.starts = path / "starts.jsonl"

    def add(self, name: str, *arguments: str, settings: ModelSettings | None = None, **backend: Any) -> None:
        """Add a model that the program serves."""
        argv = (*PROGRAM, *(arguments or ("--port", "{port}")), "--start-on", str(self.starts))
        self.models.append(
            ModelSummary(
                id=len(self.models) + 1,
                name=name,
                settings=settings or ModelSettings(),
                backend=CommandBackend(**{"argv": argv, **backend}),
            )
        )

    @asynccontextmanager
    async def manager(self, **config: Any) -> AsyncIterator[EngineManager]:
        """Run a manager."""
        catalog = FakeCatalog(self.models)
        launch_config = LaunchConfig(
            engine=find_engine(install_scripted_server(self.path / "bin", Script())),
            engines_dir=self.path / "run" / "engines",
            log_dir=self.path / "logs",
            resolve=catalog.resolve_for_launch,
        )
        async with EngineManager(catalog, LocalLauncher(launch_config), RuntimeConfig(**config)) as manager:
            yield manager

    def started(self) -> list[dict[str, Any]]:
        """Return pid and arguments of each start of the program, oldest first."""
        return (
            [json.loads(line) for line in self.starts.read_text().splitlines()]
            if self.starts.exists()
            else []
        )


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """Yield a home; at the end none of its programs may be left."""
    home = Home(tmp_path)
    yield home
    assert [start["pid"] for start in home.started() if is_alive(start["pid"])] == []


def address(target: RunningTarget, *, key: str | None = None) -> ServerAddress:
    """Return the address of a target, with another key."""
    return ServerAddress(target.base_url, unix_socket=target.unix_socket, bearer_key=key)


async def ask(target: RunningTarget) -> dict[str, Any]:
    """Send a chat request to a target and return the response."""
    request = OneShotRequest(b"POST", b"/v1/chat/completions", b"", b'{"model": "m", "messages": []}')
    body = b""
    async with request_once(target, request, connect_timeout_s=5) as connection:
        async for part in connection:
            body += part
    return json.loads(body)  # type: ignore[no-any-return]


async def test_a_command_is_swapped_like_an_engine(home: Home) -> None:
    """Each model takes the place of the other one, and the program is gone when its place is taken."""
    home.add("m", "--port", "{port}", "--context", "{ctx}", "--name={name}")
    async with home.manager() as manager:
        await manager.ensure_model_running("a", None, 8192)
        target = await manager.ensure_model_running("m", None, 4096)
        assert target.base_url.startswith("http://127.0.0.1:")
        assert target.bearer_key is None
        assert (await ask(target))["choices"][0]["message"]["content"] == "one two three"
        (start,) = home.started()
        assert start["arguments"][2:5] == ["--context", "4096", "--name=m"]
        (resident,) = (await manager.status()).residents
        assert (resident.model_name, resident.slots, resident.effective_ctx) == ("m", None, 4096)
        await manager.ensure_model_running("a", None, 8192)
        assert not is_alive(start["pid"])


@pytest.mark.parametrize("option", ["--key", "--key-file"])
async def test_a_socket_and_a_key_shut_other_users_out(home: Home, option: str) -> None:
    """The socket is in a private directory; the key of the launch is sent with the probe and the requests."""
    home.add("m", "--socket={socket}", f"{option}={{{option[2:].replace('-', '_')}}}")
    async with home.manager() as manager:
        target = await manager.ensure_model_running("m", None, 8192)
        assert target.unix_socket is not None
        assert Path(target.unix_socket).parent.stat().st_mode & 0o777 == 0o700
        assert await is_healthy(address(target, key=target.bearer_key))
        assert not await is_healthy(address(target, key="other"))
        assert (await ask(target))["object"] == "chat.completion"


async def test_a_program_that_is_never_ready_is_given_up(home: Home) -> None:
    """The error names the health path, and has the last lines of the log, also those of stdout."""
    home.add(
        "m",
        "--port",
        "{port}",
        "--never-ready",
        "--health",
        "/ping",
        health_path="/ping",
        start_timeout_s=6.0,
    )
    async with home.manager() as manager:
        with pytest.raises(ModelLoadFailedError, match="GET /ping did not return 200") as error:
            await manager.ensure_model_running("m", None, 8192)
    assert any("this program writes its log to stdout" in line for line in error.value.log_tail)
    assert "'gglib logs m'" in error.value.reason
    assert b"this program writes its log to stdout" in (home.path / "logs/engines/m.log").read_bytes()


async def test_a_program_that_exits_says_why(home: Home) -> None:
    """The last line of its log is the reason, and it is reported without the start timeout."""
    home.add("m", "--port", "{port}", "--exit", "3")
    async with home.manager() as manager:
        with pytest.raises(ModelLoadFailedError) as error:
            await manager.ensure_model_running("m", None, 8192)
    assert error.value.reason == (
        "the command exited with code 3: RuntimeError: no such model: nowhere/model"
    )


async def test_a_program_that_ignores_its_signal_is_killed_with_all_that_it_started(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its child has a session of its own, so it is not in the process group."""
    monkeypatch.setattr(command_engine, "STOP_S", 0.1)
    pids = home.path / "pids"
    home.add("m", "--port", "{port}", "--ignore-stop", "--child", str(pids))
    async with home.manager() as manager:
        await manager.ensure_model_running("m", None, 8192)
        program, child = json.loads(pids.read_text())
        assert is_alive(child)
        await manager.unload("m")
        assert not is_alive(program)
        wait_until(lambda: not is_alive(child))


async def test_a_program_that_exits_takes_its_children_along(home: Home) -> None:
    """The stop signal ends the program, and the guard ends what the program has left."""
    pids = home.path / "pids"
    home.add("m", "--port", "{port}", "--child", str(pids), stop_signal="QUIT")
    async with home.manager() as manager:
        await manager.ensure_model_running("m", None, 8192)
        await manager.unload("m")
        assert not any(map(is_alive, json.loads(pids.read_text())))


async def test_a_missing_program_evicts_nothing(home: Home) -> None:
    """It is known before the launch, so the model in memory stays there."""
    home.add("m", argv=("no-such-program", "--port", "{port}"))
    home.add("n", argv=("true", "--port", "{port}"), directory=home.path / "gone")
    async with home.manager() as manager:
        await manager.ensure_model_running("a", None, 8192)
        with pytest.raises(ModelLoadFailedError, match="'no-such-program' of its command cannot be found"):
            await manager.ensure_model_running("m", None, 8192)
        with pytest.raises(ModelLoadFailedError, match="the directory of its command"):
            await manager.ensure_model_running("n", None, 8192)
        assert [r.state for r in (await manager.status()).residents] == ["ready"]


async def test_a_port_that_another_program_took_is_replaced(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other program answers the probe, but it is not the launched one: the launch is repeated, once."""
    port = free_port()
    other = subprocess.Popen(  # noqa: ASYNC220 - it starts in the background
        [*PROGRAM, "--port", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    taken = [port]

    class TakenOnce(ReservedPort):
        def __init__(self) -> None:
            super().__init__()
            if taken:
                self.number = taken.pop()

    monkeypatch.setattr(command_engine, "ReservedPort", TakenOnce)
    home.add("m")
    try:
        wait_until(lambda: is_listening(port))
        async with home.manager() as manager:
            target = await manager.ensure_model_running("m", None, 8192)
            assert target.base_url != f"http://127.0.0.1:{port}"
            assert await is_healthy(address(target))
        assert len(home.started()) == 2
    finally:
        other.kill()
        other.wait()


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def is_listening(port: int) -> bool:
    """Whether a connection to a port succeeds."""
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_a_command_that_other_machines_reach_is_a_warning(
    home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    """Its address is the user's choice, but gglib's keys and rules do not protect it."""
    home.add("m", "--port", "{port}", "--host", "0.0.0.0")  # noqa: S104 - the point of the test
    async with home.manager() as manager:
        await manager.ensure_model_running("m", None, 8192)
    assert "accepts connections from other machines" in caplog.text


@pytest.mark.parametrize(("arguments", "starts"), [((), 1), (("--context", "{ctx}"), 2)], ids=["none", "ctx"])
async def test_a_larger_context_starts_a_command_again_only_if_it_takes_one(
    home: Home, arguments: tuple[str, ...], starts: int
) -> None:
    """A command without {ctx} has the same context whatever a request needs."""
    home.add("m", "--port", "{port}", *arguments)
    async with home.manager() as manager:
        await manager.ensure_model_running("m", 4096, 8192)
        await manager.ensure_model_running("m", 65536, 8192)
    assert len(home.started()) == starts


async def test_a_command_has_the_environment_of_its_model_and_no_secrets(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys of gglib's own environment are not passed on; the user may set one for the model."""
    monkeypatch.setenv("BOX_API_KEY", "secret")
    seen = home.path / "environment"
    program = (
        f"import os; open({str(seen)!r}, 'w').write('\\n'.join(os.environ)); raise MemoryError('too large')"
    )
    settings = ModelSettings(environment=(("HF_TOKEN", "mine"),))
    home.add("m", argv=(sys.executable, "-c", program, "{port}"), settings=settings)
    async with home.manager() as manager:
        with pytest.raises(ModelOutOfMemoryError, match="out of memory: MemoryError: too large"):
            await manager.ensure_model_running("m", None, 8192)
    names = seen.read_text().splitlines()
    assert "HF_TOKEN" in names
    assert "BOX_API_KEY" not in names


SERVING = """
import asyncio, sys
from pathlib import Path
from gglib.core.backends import CommandBackend
from gglib.core.models import ModelSummary
from gglib.runtime import EngineManager, LaunchConfig, LocalLauncher, RuntimeConfig
from gglib.runtime.engines import EmbeddedEngine
from gglib.testing import FakeCatalog

async def main(home, argv):
    catalog = FakeCatalog([ModelSummary(id=1, name="m", backend=CommandBackend(argv=argv))])
    engine = EmbeddedEngine(reason="unused")
    config = LaunchConfig(engine=engine, engines_dir=home / "run" / "engines", log_dir=home / "logs")
    async with EngineManager(catalog, LocalLauncher(config), RuntimeConfig()) as manager:
        await manager.ensure_model_running("m", None, 8192)
        print("ready", flush=True)
        await asyncio.sleep(600)

asyncio.run(main(Path(sys.argv[1]), tuple(sys.argv[2:])))
"""


def test_kill_9_of_gglib_takes_a_command_and_its_children_along(tmp_path: Path) -> None:
    """The program ignores signals, and its child has a session of its own; both end with gglib."""
    pids = tmp_path / "pids"
    command = (*PROGRAM, "--port", "{port}", "--ignore-stop", "--child", str(pids))
    gglib = subprocess.Popen(
        [sys.executable, "-c", SERVING, str(tmp_path), *command], stdout=subprocess.PIPE, text=True
    )
    assert gglib.stdout is not None
    assert gglib.stdout.readline() == "ready\n"
    started = json.loads(pids.read_text())
    os.kill(gglib.pid, signal.SIGKILL)
    gglib.communicate()
    wait_until(lambda: not any(map(is_alive, started)))
