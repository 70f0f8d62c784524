"""``gglib up`` in a real terminal: one screen, busy ports, and a second start."""

import json
import signal
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from tests.support.terminal import CTRL_C, ENTER, Terminal, terminal
from tests.support.waiting import wait_until

from gglib.app.clients.table import CLIENTS
from gglib.testing import Script

from .conftest import Home

UP = (sys.executable, "-m", "gglib", "up")
LAST = "Ctrl-C stops everything."


def first_line(running: Terminal, start: str) -> int:
    """Return the number of the first line that starts so."""
    return next(number for number, line in enumerate(running.lines) if line.startswith(start))


@pytest.mark.parametrize("columns", [80, 140])
def test_start_fits_one_screen_with_the_proof_last(stocked: Home, columns: int) -> None:
    """24 lines hold engine, model and address, the proof, and what to type next."""
    with terminal((*UP, "--yes"), env=stocked.environment, columns=columns, rows=24) as up:
        up.wait_for(LAST)
        shown = [
            first_line(up, start)
            for start in ("Engine", "Model", "Serving  http", "Prompt", "Answer", "Time")
        ]
        assert shown == sorted(shown)
        assert shown[-1] < first_line(up, "Try it in another terminal")
        assert len(up.text.splitlines()) <= 24
        words = {word.strip(",") for line in up.lines for word in line.split()}
        assert {client.name for client in CLIENTS if client.program} <= words  # none is broken at the edge
        up.send(CTRL_C)
        assert up.wait_for_exit() == 0


def test_busy_port_is_reported_before_anything_is_fetched(home: Home) -> None:
    """With the program that has it, and a command with a free port; the home has no model yet."""
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        for command in (("up", "--yes"), ("serve",)):
            sentence = home.refused(*command, "--port", str(port))
            assert sentence.startswith(f"Port {port} is in use by ")
            assert f"'gglib {command[0]} --port " in sentence
    assert not list((home.path / "models").glob("*.gguf"))


def test_second_up_says_where_the_first_serves(stocked: Home) -> None:
    """Of ``up`` and of ``serve``; exit code 0; options that differ are not applied."""
    for command, words in (("up", "Serving  http"), ("serve", "Listening on")):
        with stocked.foreground(command, "--port", "0", first_words=words) as running:
            if command == "up":
                assert running.process.stdout is not None
                assert any(LAST in line for line in running.process.stdout)
            unapplied = ("--port", "1") if command == "up" else ()
            shown = stocked.ok("up", *unapplied)
            assert f"gglib is already running at {running.url} (pid {running.process.pid})." in shown
            assert ("In memory: tiny" if command == "up" else "No model is loaded") in shown
            assert "gglib connect" in shown
            assert ("Not applied to it: --port 1. " in shown) is bool(unapplied)
            assert running.end(signal.SIGINT) == 0


def test_second_up_waits_for_the_first(stocked: Home) -> None:
    """While the engine is looked at, the first one does not listen yet."""
    fifo = stocked.path / "config.fifo"
    first = subprocess.Popen(
        [sys.executable, "-c", HOLD_LOCK, str(stocked.path / "run"), str(fifo)],
        stdin=subprocess.PIPE,
        text=True,
    )
    try:
        wait_until(fifo.exists)
        with terminal(UP, env=stocked.environment) as up:
            up.wait_for("is starting with this home")
            assert first.stdin is not None
            first.stdin.write("listen\n")
            first.stdin.flush()
            assert "gglib is already running at http://127.0.0.1:1" in up.wait_for("already running")
            assert up.wait_for_exit() == 0
    finally:
        first.kill()
        first.communicate()


HOLD_LOCK = """
import sys
from pathlib import Path
from gglib.app.serving.instance import lock_instance
with lock_instance(Path(sys.argv[1])) as lock:
    Path(sys.argv[2]).touch()
    input()
    lock.publish("http://127.0.0.1:1")
    input()
"""


def test_doctor_says_what_gpu_there_is(stocked: Home) -> None:
    """After the engine; a machine without one is no problem."""
    checks = json.loads(stocked.process("doctor", "--json").stdout)
    names = [check["name"] for check in checks]
    (gpu,) = [check for check in checks if check["name"] == "gpu"]
    assert names.index("gpu") == names.index("engine") + 1
    assert gpu["verdict"] in {"ok", "warn"}
    assert gpu["detail"]


def test_up_and_ps_name_an_unused_gpu(stocked: Home, tmp_path: Path) -> None:
    """Here one that only this process sees, and an engine that lists no device."""
    starter = tmp_path / "with_gpu.py"
    starter.write_text(WITH_GPU)
    command = (sys.executable, str(starter))
    with terminal((*command, "up", "--yes", "--port", "0"), env=stocked.environment, columns=140) as up:
        shown = up.wait_for(LAST)
        assert "GPU      NVIDIA RTX 1, 12.0 GB: not used, this llama-server finds no device." in shown
        assert len(shown.splitlines()) <= 24
        ps = subprocess.run(
            (*command, "ps"), env=stocked.environment, capture_output=True, text=True, check=True, timeout=60
        )
        assert "GPU: NVIDIA RTX 1, 12.0 GB" in ps.stdout
        up.send(CTRL_C)
        assert up.wait_for_exit() == 0


WITH_GPU = """
from gglib.system.gpu_kinds import Gpu, GpuVendor
from gglib.system import present_gpus

present_gpus.read_present_gpus = lambda: (Gpu(vendor=GpuVendor.NVIDIA, name="NVIDIA RTX 1", memory_bytes=12 * 10**9),)
from gglib.cli import main

main()
"""


def test_last_used_model_is_tested(stocked: Home) -> None:
    """Not the smallest one, if it was not used."""
    from gglib.testing import write_tiny_gguf

    other = write_tiny_gguf(stocked.path / "other.gguf", seed=5)
    with other.open("ab") as file:
        file.write(bytes(1_000_000))
    stocked.ok("add", str(other), "--name", "larger")
    with stocked.serving() as server:
        stocked.ok("run", "larger", "Hello")
        assert server.end(signal.SIGINT) == 0
    stocked.script(Script())
    with stocked.foreground("up", "--port", "0", first_words="Model") as up:
        assert up.url == "larger"


def test_second_up_with_an_empty_catalogue_says_how_to_fill_it(stocked: Home) -> None:
    """The running server has nothing to serve; a terminal is offered the first models."""
    with stocked.serving():
        stocked.ok("rm", "tiny")
        assert "Its catalogue is empty: 'gglib pull' lists first models" in stocked.ok("up")
        with terminal(UP, env=stocked.environment, columns=100) as up:
            up.wait_for("Its catalogue is empty. Which first model should gglib download?")
            up.wait_for("Number [")
            up.send(f"0{ENTER}")
            assert up.wait_for_exit() == 0


def test_server_of_a_chat_is_not_taken_for_one_of_all_programs(stocked: Home) -> None:
    """It ends with the chat, which ``stop --server`` must not cut off."""
    with terminal((*UP[:3], "run", "tiny"), env=stocked.environment) as chat:
        chat.wait_for(">>>")
        for command in (("up",), ("serve", "--port", "0")):
            assert "A chat uses this home with a server of its own" in stocked.refused(*command)
        assert "belongs to a chat" in stocked.refused("stop", "--server")
        assert stocked.ok("run", "tiny", "Hi")
        chat.send(f"/bye{ENTER}")
        assert chat.wait_for_exit() == 0
