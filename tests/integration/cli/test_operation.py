"""What a service manager, a load balancer and a log collector see of a real server."""

import http.client
import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.support.preloaded import GGLIB, PreloadedProcess
from tests.support.terminal import CTRL_C, terminal
from tests.support.waiting import LIMIT_S, wait_until

from gglib.testing import Script

from .conftest import Home
from .test_server_commands import open_stream


def ready(url: str, path: str = "/ready") -> tuple[int, str]:
    """Return status and state of a new connection's request."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, json.loads(response.read())["status"]
    finally:
        connection.close()


def log_lines(home: Home) -> list[str]:
    """Return the lines of gglib's log."""
    return (home.path / "logs" / "gglib.log").read_text().splitlines()


def stderr_of(home: Home) -> str:
    """Return what the server printed to stderr."""
    return Path(home.path / "stderr.txt").read_text()


@contextmanager
def serving_silently(home: Home, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``gglib serve``, whose stdout stays empty."""
    with (home.path / "stderr.txt").open("w") as stderr:
        process = PreloadedProcess[bytes](
            [*GGLIB, "serve", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=home.environment,
        )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_server_is_ready_once_its_models_are_loaded(stocked: Home) -> None:
    """Until then it is alive, and says that it starts."""
    stocked.script(Script(load_s=1.0))
    stocked.set('preload = ["tiny"]')
    with stocked.serving() as server:
        assert ready(server.url) == (503, "starting")
        assert ready(server.url, "/health") == (200, "ok")
        wait_until(lambda: ready(server.url) == (200, "ready"))
        assert stocked.engine_pids()
        assert not any("/ready" in line for line in log_lines(stocked))


def test_a_server_whose_models_cannot_be_loaded_is_ready(stocked: Home) -> None:
    """It serves the others."""
    stocked.script(Script(load_fails_with="error: no"))
    stocked.set('preload = ["tiny", "unknown"]')
    with stocked.serving() as server:
        wait_until(lambda: ready(server.url) == (200, "ready"))


def test_new_connections_see_the_drain_while_responses_end(stocked: Home) -> None:
    """The listener accepts until the last response has ended."""
    stocked.script(Script(chunks=40, chunk_interval_s=0.05))
    stocked.set("drain_s = 30")
    with stocked.serving() as server, open_stream(server.url) as response:
        assert ready(server.url) == (200, "ready")
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: ready(server.url) == (503, "draining"))
        assert ready(server.url, "/health") == (200, "ok")
        assert b"[DONE]" in response.read()
        assert server.process.wait(10) == 0
        with pytest.raises(ConnectionRefusedError):
            ready(server.url)


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (signal.SIGTERM, "Stopping: received SIGTERM."),
        (signal.SIGINT, r"Stopping: (received SIGINT|interrupted \(Ctrl-C\))\."),
        (None, "Stopping: requested by 'gglib stop --server'."),
    ],
    ids=["SIGTERM", "SIGINT", "stop"],
)
def test_the_log_names_the_cause_of_a_stop(stocked: Home, number: int | None, sentence: str) -> None:
    """On stderr and in the log; the model is unloaded because gglib stops, which no user asked for."""
    with stocked.serving() as server:
        stocked.ok("run", "tiny", "Hello")
        if number is None:
            stocked.ok("stop", "--server")
            assert server.process.wait(10) == 0
        else:
            assert server.end(number) == 0
    assert re.search(sentence, stderr_of(stocked))
    messages = [line.split(maxsplit=2)[2] for line in log_lines(stocked)]
    assert [re.fullmatch(sentence, message) is not None for message in messages].count(True) == 1
    assert messages[-1] == "Stopped."
    assert any("gglib is stopping" in message for message in messages)
    assert not any("user" in message for message in messages)
    assert not list((stocked.path / "run").glob("stop-*"))


def test_json_logs_are_json_from_the_first_line_to_the_last(stocked: Home) -> None:
    """Everything that the server prints can be parsed; ``gglib logs`` shows it as text."""
    stocked.set('log_format = "json"')
    with serving_silently(stocked, "--log-level", "debug") as server:
        wait_until(lambda: "Engine: " in stderr_of(stocked))
        url = re.findall(r"Listening on (http://[^\"]+)", stderr_of(stocked))[0]
        assert ready(url) == (200, "ready")
        stocked.ok("run", "tiny", "Hello")
        wait_until(lambda: "/v1/chat/completions" in stderr_of(stocked))
        shown = stocked.ok("logs")
        server.send_signal(signal.SIGTERM)
        assert server.wait(LIMIT_S) == 0
        assert server.stdout is not None
        assert server.stdout.read() == b""
    lines = [json.loads(line) for line in stderr_of(stocked).splitlines()]
    assert lines == [json.loads(line) for line in log_lines(stocked)]
    times = [datetime.fromisoformat(line["time"]) for line in lines]
    assert times == sorted(times)
    (chat,) = [line for line in lines if line.get("path") == "/v1/chat/completions"]
    assert (chat["method"], chat["status"], chat["model"], chat["client"]) == (
        "POST",
        200,
        "tiny",
        "127.0.0.1",
    )
    assert {"request_id", "duration_ms", "first_byte_ms"} <= chat.keys()
    assert f"{chat['time']} INFO    POST /v1/chat/completions model=tiny status=200 " in shown
    assert " DEBUG   GET /ready status=200 " in shown


def test_text_has_a_time_zone_and_is_in_order(stocked: Home) -> None:
    """Requests, loads and unloads in the order in which they happened."""
    with stocked.serving() as server:
        for _ in range(2):
            stocked.ok("run", "tiny", "Hello")
            stocked.ok("stop")
        assert server.end(signal.SIGTERM) == 0
    times = [datetime.fromisoformat(line.split()[0]) for line in log_lines(stocked)]
    assert len(times) > 6
    assert times == sorted(times)
    assert all(time.utcoffset() is not None for time in times)


def test_the_level_of_the_log_can_be_changed_while_it_runs(stocked: Home) -> None:
    """By a reload: to look at a problem that a restart would end."""
    stocked.variables["GGLIB_LOG_FORMAT"] = "text"
    stocked.set('log_level = "warning"')
    with stocked.serving() as server:
        stocked.ok("run", "tiny", "Hello")
        stocked.script(Script())
        stocked.set('log_level = "info"')
        assert "log_level" in stocked.ok("reload")
        stocked.ok("run", "tiny", "Hello")
        assert server.end(signal.SIGTERM) == 0
    assert len([line for line in log_lines(stocked) if "/v1/chat/completions" in line]) == 1


def test_a_second_sigterm_ends_at_once_with_its_exit_code(stocked: Home) -> None:
    """143, as shells report a program that SIGTERM ended: service managers tell it from a stop in order, 0."""
    stocked.script(Script(ignore_term=True))
    with stocked.serving() as server:
        stocked.ok("run", "tiny", "Hello")

        def insist() -> bool:
            server.process.send_signal(signal.SIGTERM)
            return server.process.poll() is not None

        wait_until(insist)
        assert server.process.returncode == 143
    assert "Stopping immediately: received SIGTERM again." in stderr_of(stocked)
    assert "Stopping immediately" in log_lines(stocked)[-1]


def test_up_that_is_stopped_before_it_serves_has_the_exit_code_of_the_signal(stocked: Home) -> None:
    """It has not done what it was started for."""
    stocked.script(Script(load_s=60.0))
    with stocked.foreground("up", "--yes", first_words="Serving") as server:
        assert server.end(signal.SIGTERM) == 143
    assert "Stopping: received SIGTERM." in stderr_of(stocked)


@pytest.mark.parametrize("columns", [80, 100, 140])
def test_ctrl_c_at_a_terminal_is_named_as_that(stocked: Home, columns: int) -> None:
    """On a line of its own below ``^C``, as a sentence; in the log with its time."""
    command = [sys.executable, "-m", "gglib", "serve"]
    with terminal(command, env=stocked.environment, columns=columns) as shown:
        shown.wait_for("Engine: ")
        shown.send(CTRL_C)
        assert shown.wait_for_exit() == 0
        assert shown.lines[: shown.lines.index("Stopped.") + 1][-2:] == [
            "Stopping: interrupted (Ctrl-C).",
            "Stopped.",
        ]
    assert [line.split(maxsplit=2)[2] for line in log_lines(stocked)][-2:] == [
        "Stopping: interrupted (Ctrl-C).",
        "Stopped.",
    ]
