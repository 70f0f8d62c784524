"""Reloading settings and model options: 'gglib reload', SIGHUP and a changed config.toml, with real processes."""

import http.client
import json
import os
import pty
import signal
import subprocess
import sys
from contextlib import closing
from urllib.parse import urlsplit

import pytest
from tests.support.waiting import LIMIT_S, is_alive, wait_until

from gglib.testing import Script, write_tiny_gguf

from .conftest import Home, hangups_are_heard
from .test_server_commands import open_stream


def connect(url: str) -> closing[http.client.HTTPConnection]:
    """Return a connection to the server, closed at the end of the block."""
    parts = urlsplit(url)
    return closing(http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30))


def status_on(connection: http.client.HTTPConnection, key: str = "") -> int:
    """Return the status of a request for the models, with a key if given."""
    connection.request("GET", "/v1/models", headers={"Authorization": f"Bearer {key}"} if key else {})
    response = connection.getresponse()
    response.read()
    return response.status


def status_of(url: str, key: str = "") -> int:
    """Return the status of a request over a connection of its own."""
    with connect(url) as connection:
        return status_on(connection, key)


def log_of(home: Home) -> str:
    """Return gglib's log; empty before its first line."""
    path = home.path / "logs" / "gglib.log"
    return path.read_text() if path.exists() else ""


def test_a_new_key_works_and_the_old_one_is_refused_on_an_open_connection(stocked: Home) -> None:
    """A keep-alive connection whose requests were accepted before gets 401 after the reload."""
    stocked.set('api_keys = { alice = "SECRET-of-alice" }')
    with stocked.serving() as server:
        with connect(server.url) as connection:
            assert status_on(connection, "SECRET-of-alice") == 200
            stocked.script(Script())
            stocked.set('api_keys = { alice = "SECRET-of-bob" }')
            output = stocked.ok("reload", "--json")
            assert status_on(connection, "SECRET-of-alice") == 401
        assert status_of(server.url, "SECRET-of-bob") == 200
    (change,) = json.loads(output)["settings"]
    assert change == {"setting": "api_keys", "old": None, "new": None, "applied": True}
    assert "SECRET" not in output + log_of(stocked)


def test_keys_appear_and_disappear(stocked: Home) -> None:
    """Gglib's own commands keep working: the server publishes a key for them with the first access key."""
    with stocked.serving() as server:
        stocked.set('[api_keys]\nalice = "SECRET-of-alice"')
        stocked.ok("reload")
        assert status_of(server.url) == 401
        assert "No model" in stocked.ok("ps")
        stocked.script(Script())
        stocked.ok("reload")
        assert status_of(server.url) == 200
        assert "No model" in stocked.ok("ps")


def test_a_reload_reports_what_is_applied_and_what_needs_a_restart(stocked: Home) -> None:
    """Each changed setting is in the table with its old and new value; the second reload repeats only the restart."""
    with stocked.serving():
        config = (stocked.path / "config.toml").read_text()
        (stocked.path / "config.toml").write_text(
            config.replace("port = 0", "port = 9999") + 'max_wait_s = 7\nallowed_hosts = ["box.lan"]\n'
        )
        lines = [line.split() for line in stocked.ok("reload").splitlines()]
        assert lines == [
            ["SETTING", "OLD", "NEW", "EFFECT"],
            ["port", "0", "9999", "after", "a", "restart"],
            ["max_wait_s", "600", "7", "now"],
            ["allowed_hosts", "-", "box.lan", "now"],
        ]
        lines = [line.split() for line in stocked.ok("reload").splitlines()]
        assert lines[1:] == [["port", "0", "9999", "after", "a", "restart"]]


def test_an_invalid_file_changes_nothing(stocked: Home) -> None:
    """The command prints the sentence of the settings; the watch logs it once, and applies the corrected file."""
    with stocked.serving() as server:
        config = (stocked.path / "config.toml").read_text()
        stocked.set('api_keys = { alice = "SECRET-of-alice" }\nmax_models = 0')
        sentence = stocked.refused("reload")
        assert "max_models" in sentence
        assert "from 1 to 64" in sentence
        stocked.set("# another change")
        wait_until(lambda: "the settings were not reloaded" in log_of(stocked))
        assert status_of(server.url) == 200
        (stocked.path / "config.toml").write_text(config + "max_models = 2\n")
        wait_until(lambda: "reloaded the settings: max_models 1 -> 2" in log_of(stocked))
        logged = [line for line in log_of(stocked).splitlines() if "the settings were not reloaded" in line]
        assert len(logged) == 1


def test_a_reload_that_would_expose_the_server_is_refused(stocked: Home) -> None:
    """The last key of a server for other machines cannot be removed while it runs."""
    stocked.set('host = "0.0.0.0"\napi_keys = { alice = "SECRET-of-alice" }')
    with stocked.serving() as server:
        stocked.script(Script())
        stocked.set('host = "127.0.0.1"')
        assert "access key" in stocked.refused("reload")
        assert status_of(server.url) == 401


def test_sighup_reloads(stocked: Home) -> None:
    """The server keeps running, and a stream is complete."""
    stocked.script(Script(chunks=20, chunk_interval_s=0.1))
    with stocked.serving() as server, open_stream(server.url) as response:
        stocked.set("max_wait_s = 7")
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "reloaded the settings: max_wait_s 600 -> 7" in log_of(stocked))
        assert b"[DONE]" in response.read()
        assert server.end(signal.SIGTERM) == 0


def test_a_changed_model_is_replaced_after_its_requests(stocked: Home) -> None:
    """The engine with the old options ends after its stream; an unchanged model keeps its process."""
    stocked.ok("add", str(write_tiny_gguf(stocked.path / "other.gguf", seed=7)), "--name", "other")
    stocked.script(Script(chunks=30, chunk_interval_s=0.1))
    stocked.set("max_models = 2")
    with stocked.serving() as server:
        stocked.ok("run", "other", "Hello")
        (other,) = stocked.engine_pids()
        with open_stream(server.url) as response:
            (tiny,) = set(stocked.engine_pids()) - {other}
            assert "It is in memory" not in stocked.ok("set", "tiny", "--alias", "t")
            assert "It is in memory" in stocked.ok("set", "tiny", "--ctx", "2048")
            reloaded = json.loads(stocked.ok("reload", "--json"))
            assert reloaded["replaced_models"] in (["tiny"], [])  # the watch may have been first
            assert is_alive(tiny)
            assert b"[DONE]" in response.read()
        wait_until(lambda: not is_alive(tiny))
        stocked.ok("run", "tiny", "Hello")
        residents = json.loads(stocked.ok("ps", "--json"))["residents"]
        assert {resident["model_name"]: resident["effective_ctx"] for resident in residents}["tiny"] == 2048
        assert other in stocked.engine_pids()


def test_limits_of_models_apply_to_a_running_server(stocked: Home) -> None:
    """More models stay after one reload; after the next one the idle ones beyond the limit go."""
    stocked.ok("add", str(write_tiny_gguf(stocked.path / "other.gguf", seed=7)), "--name", "other")
    config = stocked.path / "config.toml"
    before = config.read_text()
    with stocked.serving():
        config.write_text(before + 'max_models = "auto"\nmemory = "50G"\n')
        lines = [line.split() for line in stocked.ok("reload").splitlines()]
        assert ["max_models", "1", "auto", "now"] in lines
        assert ["memory", "-", "ram", "=", "50.0", "GB", "now"] in lines
        for name in ("tiny", "other"):
            stocked.ok("load", name)
        assert len(stocked.engine_pids()) == 2
        status = json.loads(stocked.ok("ps", "--json"))
        assert status["limits"]["ram"] <= 50_000_000_000
        assert all(resident["size"]["ram"] > 0 for resident in status["residents"])
        config.write_text(before + "max_models = 1\n")
        stocked.ok("reload")
        wait_until(lambda: len(stocked.engine_pids()) == 1)
        assert json.loads(stocked.ok("ps", "--json"))["limits"] == {}
        config.write_text(before + 'memory = "1K"\n')
        stocked.ok("reload")
        assert "the memory budget of all models is 1 kB" in stocked.refused("load", "tiny")


def test_models_for_requests_without_a_name_are_replaced(stocked: Home) -> None:
    """The default model and alias lists are live; a name of no model is a warning, and ``preload`` needs a restart."""
    stocked.ok("add", str(write_tiny_gguf(stocked.path / "other.gguf", seed=7)), "--name", "other")
    with stocked.serving():
        stocked.set('default_model = "fast"\npreload = ["other"]\n[aliases]\nfast = ["none", "other"]')
        done = stocked.run("reload", "--json")
        result = json.loads(done.stdout)
        assert {change["setting"]: change["applied"] for change in result["settings"]} == {
            "preload": False,
            "default_model": True,
            "aliases": True,
        }
        (warning,) = result["warnings"]
        assert "'none'" in warning
        assert json.loads(stocked.ok("load", "fast", "--json"))["model_name"] == "other"


@pytest.mark.skipif(sys.platform != "linux", reason="the order of the signals is the kernel's")
def test_a_closed_terminal_stops_the_server(stocked: Home) -> None:
    """SIGHUP of a hung-up terminal ends a server that was started in it."""
    master, terminal = pty.openpty()
    with hangups_are_heard():
        process = subprocess.Popen(
            [sys.executable, "-c", _IN_A_TERMINAL, sys.executable, "-m", "gglib", "serve"],
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            env=stocked.environment,
        )
    os.close(terminal)
    seen = b""
    while b"Engine: " not in seen:
        seen += os.read(master, 65536)
    os.close(master)
    assert process.wait(LIMIT_S) == 0


_IN_A_TERMINAL = """
import fcntl, os, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""
