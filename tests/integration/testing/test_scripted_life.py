"""The process of a scripted server: start, load, exit and failure."""

import json
import os
import select
import signal
import subprocess
from pathlib import Path

import pytest

from gglib.testing import Script, install_scripted_server, read_record

from .conftest import DEADLINE_S, Launch, Running

CHAT = "/v1/chat/completions"


def status_of(running: Running, path: str) -> int:
    """Return the status of a GET on a new connection."""
    connection = running.connect()
    connection.request("GET", path)
    response = connection.getresponse()
    connection.close()
    return response.status


def has_seen(running: Running, kind: str) -> bool:
    """Whether an event of this kind is in the record."""
    return bool(running.events(kind))


def test_the_socket_answers_503_until_the_load_is_over(launch: Launch) -> None:
    """Every path reports that the model is loading; then ``/health`` is 200 and stderr has the address."""
    running = launch(Script(load_s=0.7), is_ready=False)
    running.wait_until(running.is_bound, "bound")
    assert (status_of(running, "/health"), status_of(running, "/nope")) == (503, 503)
    assert "listening" not in running.stderr()
    running.wait_until_ready()
    assert status_of(running, "/health") == 200
    assert f"listening on unix://{running.socket_path}" in running.stderr()


def test_a_failed_load_prints_its_reason_and_exits(launch: Launch) -> None:
    """The reason is on stderr, the exit code is the script's, and the server never listened."""
    running = launch(Script(load_fails_with="error: bad magic", load_exit_code=1), is_ready=False)
    assert running.exit_code() == 1
    assert running.stderr().splitlines() == ["error: bad magic"]
    assert running.events("exit")[0]["code"] == 1


@pytest.mark.parametrize(
    ("script", "code"),
    [
        (Script(load_fails_with="", load_exit_code=-signal.SIGILL), -signal.SIGILL),
        (Script(load_s=9, die_while_loading_after_s=0.05), -signal.SIGKILL),
    ],
    ids=["illegal-instruction", "killed"],
)
def test_it_can_be_killed_while_it_loads(launch: Launch, script: Script, code: int) -> None:
    """A signal can end the load, without output."""
    assert launch(script, is_ready=False).exit_code() == code


def test_a_model_has_its_own_script(launch: Launch) -> None:
    """The behaviour depends on the model on the command line."""
    script = Script(scripts={"bad.gguf": {"load_fails_with": "no"}})
    assert launch(script, "--model", "/x/bad.gguf", is_ready=False).exit_code() == 1
    assert status_of(launch(script, "--model", "/x/good.gguf"), "/health") == 200


def test_the_start_is_recorded_with_its_surroundings(launch: Launch) -> None:
    """Command line, environment, parent, group and session are recorded."""
    running = launch(None, "--jinja")
    start = running.events("start")[0]
    assert start["argv"][-1] == "--jinja"
    assert start["env"] == dict(os.environ)
    pid = running.process.pid
    assert (start["pid"], start["pgid"], start["sid"], start["ppid"]) == (pid, pid, pid, os.getpid())


def test_an_idle_server_leaves_at_term_and_leaves_its_socket_file(launch: Launch) -> None:
    """The exit code is 0, and the socket file stays, as with llama-server: the next start on its path fails."""
    running = launch()
    running.process.terminate()
    assert running.exit_code() == 0
    assert running.socket_path.exists()
    again = launch(None, "--host", str(running.socket_path), is_ready=False)
    assert again.exit_code() == 1
    assert "couldn't bind" in again.stderr()


def test_term_kills_at_once_while_it_loads(launch: Launch) -> None:
    """SIGTERM kills the process before the model is loaded."""
    running = launch(Script(load_s=20), is_ready=False)
    running.wait_until(lambda: has_seen(running, "start"), "start")
    running.process.terminate()
    assert running.exit_code() == -signal.SIGTERM


def test_term_with_a_request_in_flight_waits_for_the_client_to_leave(launch: Launch) -> None:
    """Pieces stop, but the process stays; when the client has disconnected it exits with 0."""
    running = launch(Script(chunks=100_000, chunk_interval_s=0.01))
    connection = running.connect()
    connection.request("POST", CHAT, json.dumps({"stream": True}))
    connection.getresponse().read(10)
    running.process.terminate()
    with pytest.raises(subprocess.TimeoutExpired):
        running.process.wait(0.2)
    connection.close()
    assert running.exit_code() == 0
    assert [event["event"] for event in running.events()[-2:]] == ["client_gone", "exit"]


def test_a_second_term_ends_it_with_a_request_in_flight(launch: Launch) -> None:
    """The second SIGTERM exits with code 1, even with connected clients."""
    running = launch(Script(hang=True))
    connection = running.connect()
    connection.request("POST", CHAT, "{}")
    running.wait_until(lambda: has_seen(running, "request"), "the request")
    running.process.terminate()
    with pytest.raises(subprocess.TimeoutExpired):
        running.process.wait(0.2)
    running.process.terminate()
    assert running.exit_code() == 1
    connection.close()


@pytest.mark.parametrize("load_s", [0.0, 20.0])
def test_term_can_be_ignored(launch: Launch, load_s: float) -> None:
    """The server ignores SIGTERM while loading and when ready; SIGKILL works."""
    running = launch(Script(ignore_term=True, load_s=load_s), is_ready=not load_s)
    running.wait_until(lambda: has_seen(running, "start"), "start")
    running.process.terminate()
    with pytest.raises(subprocess.TimeoutExpired):
        running.process.wait(0.2)
    running.process.kill()
    assert running.exit_code() == -signal.SIGKILL


def test_a_child_is_left_that_ignores_term(tmp_path: Path) -> None:
    """The child is in the server's process group, survives SIGTERM, keeps stderr open, and needs SIGKILL."""
    record = tmp_path / "record"
    program = install_scripted_server(tmp_path, Script(fork_child=True, record=str(record), lifetime_s=30))
    with subprocess.Popen([program, "--port", "0"], stderr=subprocess.PIPE, start_new_session=True) as server:
        assert server.stderr is not None
        try:
            assert b"listening on" in server.stderr.readline()
            assert os.getpgid(read_record(record, "start")[0]["child_pid"]) == server.pid
            os.killpg(server.pid, signal.SIGTERM)
            assert server.wait(DEADLINE_S) == 0
            assert not select.select([server.stderr], [], [], 0.3)[0], "the child has left"
        finally:
            os.killpg(server.pid, signal.SIGKILL)
        assert server.stderr.read() == b""


def test_noise_is_printed_before_the_load(launch: Launch) -> None:
    """The scripted amount of output is on stderr before the server listens."""
    running = launch(Script(stderr_noise_bytes=300_000, noise_line_bytes=70_000))
    noise, _, rest = running.stderr().partition("0.00.")
    assert (len(noise), len(noise.splitlines()[0])) == (300_000, 69_999)
    assert "listening on" in rest


def test_its_life_is_bounded(tmp_path: Path) -> None:
    """A server that is not stopped exits by itself."""
    program = install_scripted_server(tmp_path, Script(lifetime_s=0.05))
    ended = subprocess.run([program, "--port", "0"], check=False, capture_output=True, timeout=10)
    assert ended.returncode == 3
    assert b"listening on http://127.0.0.1:" in ended.stderr


@pytest.mark.parametrize(
    ("argv", "code", "output"),
    [
        (["--help"], 0, "-c,   --ctx-size N"),
        (["--version"], 0, "version: "),
        (["--host", "x", "--foo"], 1, "error: invalid argument: --foo"),
    ],
)
def test_it_answers_questions_without_serving(
    tmp_path: Path, argv: list[str], code: int, output: str
) -> None:
    """Help and version are printed without recording a launch; an unknown option is refused."""
    program = install_scripted_server(tmp_path / "bin", Script(record=str(tmp_path / "record")))
    asked = subprocess.run([program, *argv], check=False, capture_output=True, text=True, timeout=10)
    assert asked.returncode == code
    assert output in asked.stdout + asked.stderr
    assert not read_record(tmp_path / "record", "start")


def test_the_launcher_does_not_lean_on_its_surroundings(tmp_path: Path) -> None:
    """It starts with an empty environment and in any working directory, too."""
    program = install_scripted_server(tmp_path)
    asked = subprocess.run(
        [program, "--version"], check=False, env={}, cwd="/", timeout=10, capture_output=True
    )
    assert asked.returncode == 0


def test_installing_again_replaces_the_script(tmp_path: Path) -> None:
    """The next start follows the new script."""
    install_scripted_server(tmp_path, Script(load_fails_with="old"))
    program = install_scripted_server(tmp_path, Script(load_fails_with="new"))
    failed = subprocess.run([program, "--port", "0"], check=False, capture_output=True, timeout=10)
    assert failed.stderr == b"new\n"


def test_a_record_without_a_file_is_empty(tmp_path: Path) -> None:
    """Reading before the first start is not an error, and an incomplete line is left for a later read."""
    record = tmp_path / "record"
    assert read_record(record) == []
    record.write_bytes(b'{"event":"a"}\n{"event":"b"')
    assert [event["event"] for event in read_record(record)] == ["a"]
