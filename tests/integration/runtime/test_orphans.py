"""No engine outlives a gglib that is killed with -9."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.waiting import wait_until

from gglib.runtime.local import guard
from gglib.runtime.local.os_processes import process_start_id
from gglib.runtime.local.workspace import open_workspace, reap_orphans
from gglib.testing import Script, install_scripted_server, read_record

PROGRAM = """
import asyncio, sys
from pathlib import Path
from gglib.core.models import ModelSummary
from gglib.runtime import EngineManager, LaunchConfig, LocalLauncher, RuntimeConfig
from gglib.runtime.engines import find_engine
from gglib.testing import FakeCatalog

async def main(home, engine):
    catalog = FakeCatalog([ModelSummary(id=1, name="a", paths=(home / "a.gguf",))])
    config = LaunchConfig(
        engine=find_engine(engine), engines_dir=home / "run" / "engines", log_dir=home / "logs"
    )
    async with EngineManager(catalog, LocalLauncher(config), RuntimeConfig()) as manager:
        await manager.ensure_model_running("a", None, 8192)
        print("ready", flush=True)
        await asyncio.sleep(60)

asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2])))
"""


def is_gone(pid: int, *, within_s: float) -> bool:
    """Whether a process ends in time; it is not a child of this process."""
    deadline = time.monotonic() + within_s
    while process_start_id(pid) is not None:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def start_gglib(home: Path, script: Script) -> "subprocess.Popen[str]":
    """Start a program that runs a model, and return when the model is ready."""
    (home / "a.gguf").touch()
    engine = install_scripted_server(home / "bin", script)
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(home), str(engine)], stdout=subprocess.PIPE, text=True
    )
    assert program.stdout is not None
    assert program.stdout.readline() == "ready\n"
    return program


@pytest.mark.parametrize("script", [Script(), Script(ignore_term=True)], ids=["idle", "ignores-term"])
def test_kill_9_of_gglib_takes_the_engine_along(tmp_path: Path, script: Script) -> None:
    """The engine is gone within two seconds of SIGKILL to gglib."""
    record = tmp_path / "record.jsonl"
    program = start_gglib(tmp_path, replace(script, record=str(record)))
    (engine_pid,) = [event["pid"] for event in read_record(record) if event["event"] == "start"]
    assert process_start_id(engine_pid) is not None
    program.kill()
    program.communicate()
    assert is_gone(engine_pid, within_s=2)


MODES = pytest.mark.parametrize(
    "mode",
    [
        guard.WATCH,
        pytest.param(
            guard.TREE, marks=pytest.mark.skipif(sys.platform != "linux", reason="uses prctl and /proc")
        ),
    ],
)


@MODES
def test_a_guard_that_stays_kills_the_engine_when_gglib_ends(tmp_path: Path, mode: str) -> None:
    """It polls its parent and kills the group, or receives a signal and kills its descendants."""
    pid_file = tmp_path / "pid"
    engine = f"import os, pathlib, time; pathlib.Path({str(pid_file)!r}).write_text(str(os.getpid())); time.sleep(60)"
    parent = (
        "import os, subprocess, sys, time\n"
        f"engine = [sys.executable, '-c', {engine!r}]\n"
        f"command = [sys.executable, {guard.__file__!r}, {mode!r}, str(os.getpid()), *engine]\n"
        "subprocess.Popen(command, start_new_session=True)\n"
        "time.sleep(60)\n"
    )
    program = subprocess.Popen([sys.executable, "-c", parent])
    wait_until(lambda: pid_file.exists() and pid_file.read_text())
    engine_pid = int(pid_file.read_text())
    program.kill()
    program.wait()
    assert is_gone(engine_pid, within_s=2)


@pytest.mark.skipif(sys.platform != "linux", reason="uses prctl")
def test_a_command_ends_with_its_guard(tmp_path: Path) -> None:
    """``killall -9 python`` kills gglib and the guard together; the command is the guard's child then."""
    pid_file = tmp_path / "pid"
    engine = f"import os, pathlib, time; pathlib.Path({str(pid_file)!r}).write_text(str(os.getpid())); time.sleep(60)"
    command = [sys.executable, guard.__file__, guard.TREE, str(os.getpid()), sys.executable, "-c", engine]
    with subprocess.Popen(command, start_new_session=True) as staying:
        wait_until(lambda: pid_file.exists() and pid_file.read_text())
        staying.kill()
    assert is_gone(int(pid_file.read_text()), within_s=2)


@MODES
def test_a_guard_that_stays_passes_on_how_the_engine_ended(mode: str) -> None:
    """Its exit code is the engine's, or 128 plus the number of the signal that ended the engine."""
    for code, expected in (("raise SystemExit(3)", 3), ("import os; os.kill(os.getpid(), 9)", 137)):
        command = [sys.executable, guard.__file__, mode, str(os.getpid()), sys.executable, "-c", code]
        assert subprocess.run(command, check=False, start_new_session=True).returncode == expected


@pytest.mark.parametrize("mode", [[], [guard.TREE]], ids=["exec", "tree"])
@pytest.mark.skipif(sys.platform != "linux", reason="the guard polls elsewhere")
def test_a_guard_whose_parent_is_gone_starts_nothing(tmp_path: Path, mode: list[str]) -> None:
    """The parent may die before the guard has registered for the signal."""
    pid_file = tmp_path / "started"
    command = [
        sys.executable,
        guard.__file__,
        *mode,
        "1",
        sys.executable,
        "-c",
        f"open({str(pid_file)!r}, 'w')",
    ]
    assert subprocess.run(command, check=False, capture_output=True).returncode != 0
    assert not pid_file.exists()


def test_the_next_start_ends_what_a_crash_left(tmp_path: Path) -> None:
    """A recorded process with the same start time is ended and its directory removed."""
    left = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
    with open_workspace(tmp_path / "engines", "1-1", use_unix_socket=True) as workspace:
        workspace.record(left.pid)
        kept = (workspace.directory / "process.json").read_text()
    crashed = tmp_path / "engines" / "1-1"
    crashed.mkdir()
    (crashed / "process.json").write_text(kept)
    assert reap_orphans(tmp_path / "engines") == [left.pid]
    assert left.wait(5) == -signal.SIGKILL
    assert not crashed.exists()


def test_a_stranger_with_the_same_pid_is_spared(tmp_path: Path) -> None:
    """A pid alone is not proof: another start time means another process."""
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
    crashed = tmp_path / "engines" / "1-1"
    crashed.mkdir(parents=True)
    for content in (
        json.dumps({"pid": stranger.pid, "mark": "another-boot:1"}),
        "{",
        "[]",
        '{"pid": "x", "mark": 1}',
    ):
        (crashed / "process.json").write_text(content)
        assert reap_orphans(tmp_path / "engines") == []
        crashed.mkdir(parents=True)
    assert stranger.poll() is None
    stranger.kill()
    stranger.wait()


def test_a_socket_with_a_directory_of_its_own_is_swept_too(tmp_path: Path) -> None:
    """If the home's path is too long for a socket, the socket is elsewhere, and a crash leaves it there."""
    engines = tmp_path / ("long" * 30) / "engines"
    with open_workspace(engines, "1-1", use_unix_socket=True) as workspace:
        assert workspace.socket_path is not None
        assert len(str(workspace.socket_path)) < 104
        assert workspace.key not in repr(workspace)
        elsewhere = workspace.socket_path.parent
        assert elsewhere.stat().st_mode & 0o777 == 0o700
        workspace.record(2**22 + 1)
        kept = (workspace.directory / "process.json").read_text()
    assert not elsewhere.exists()
    elsewhere.mkdir()
    (engines / "1-1").mkdir(parents=True)
    (engines / "1-1" / "process.json").write_text(kept)
    assert reap_orphans(engines) == []
    assert not elsewhere.exists()


@MODES
def test_a_program_that_cannot_be_run_is_named(tmp_path: Path, mode: str) -> None:
    """The guard's last line is the reason of the exit."""
    program = tmp_path / "program"
    program.write_text("#!/no/such/interpreter\n")
    program.chmod(0o755)
    command = [sys.executable, guard.__file__, mode, str(os.getpid()), str(program)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, start_new_session=True)
    assert done.returncode == 1
    assert f"error: cannot run {program}: No such file or directory" in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_next_start_ends_the_descendants_of_what_a_crash_left(tmp_path: Path) -> None:
    """A descendant in a session of its own is not in the recorded process's group."""
    pid_file = tmp_path / "pid"
    child = "import time; time.sleep(60)"
    parent = (
        "import pathlib, subprocess, sys, time\n"
        f"child = subprocess.Popen([sys.executable, '-c', {child!r}], start_new_session=True)\n"
        f"pathlib.Path({str(pid_file)!r}).write_text(str(child.pid))\n"
        "time.sleep(60)\n"
    )
    left = subprocess.Popen([sys.executable, "-c", parent], start_new_session=True)
    wait_until(lambda: pid_file.exists() and pid_file.read_text())
    crashed = tmp_path / "engines" / "1-1"
    crashed.mkdir(parents=True)
    record = {"pid": left.pid, "mark": process_start_id(left.pid), "socket_path": ""}
    (crashed / "process.json").write_text(json.dumps(record))
    assert reap_orphans(tmp_path / "engines") == [left.pid]
    assert left.wait(5) == -signal.SIGKILL
    assert is_gone(int(pid_file.read_text()), within_s=2)
