"""serve, up, run, ps, stop, logs and doctor as concurrent processes."""

import http.client
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from itertools import takewhile
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.support.preloaded import GGLIB, PreloadedProcess
from tests.support.waiting import LIMIT_S, is_alive, wait_until

from gglib.cli.errors import EXIT_INTERRUPTED
from gglib.testing import Script, write_tiny_gguf

from .conftest import Home

ANSWER = "t0 t1 t2"
"""The text of the scripted engine."""
SLOW = Script(chunks=500, chunk_interval_s=0.05)


@contextmanager
def open_stream(url: str) -> Iterator[http.client.HTTPResponse]:
    """Request a long streamed response and yield it once it has begun."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    body = {"model": "tiny", "stream": True, "messages": [{"role": "user", "content": "Hi"}]}
    connection.request("POST", "/v1/chat/completions", json.dumps(body))
    with closing(connection), connection.getresponse() as response:
        assert response.status == 200
        response.readline()
        yield response


def chat_status(url: str, key: str | None = None) -> int:
    """Request a short completion, with a key, and return the status."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    body = {"model": "tiny", "messages": [{"role": "user", "content": "Hi"}]}
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
    with closing(connection), connection.getresponse() as response:
        return response.status


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_everything_also_in_the_middle_of_a_stream(stocked: Home, number: int) -> None:
    """SIGINT or SIGTERM ends stream, engine and gglib, with exit code 0, and leaves no process."""
    stocked.script(SLOW)
    with stocked.serving() as server, open_stream(server.url) as response:
        (engine,) = stocked.engine_pids()
        assert server.end(number) == 0
        assert not is_alive(engine)
        assert b"[DONE]" not in response.read()
    assert list((stocked.path / "run" / "engines").iterdir()) == []
    assert not (stocked.path / "run" / "instance.json").exists()


def test_a_stop_lets_an_answer_end(stocked: Home) -> None:
    """SIGTERM drains: the response in flight completes, and gglib accepts no new requests meanwhile."""
    stocked.script(Script(chunks=12, chunk_interval_s=0.1))
    stocked.set("drain_s = 30")
    with stocked.serving() as server, open_stream(server.url) as response:
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: "Waiting for 1 response" in (stocked.path / "stderr.txt").read_text())
        assert chat_status(server.url) == 503
        assert b"[DONE]" in response.read()
        assert server.process.wait(10) == 0


def test_a_second_ctrl_c_does_not_let_answers_end(stocked: Home) -> None:
    """The first Ctrl-C drains, the second ends the response with an error event, and the exit code is 0."""
    stocked.script(SLOW)
    stocked.set("drain_s = 600")
    with stocked.serving() as server, open_stream(server.url) as response:
        server.process.send_signal(signal.SIGINT)
        wait_until(lambda: "Waiting for 1 response" in (stocked.path / "stderr.txt").read_text())

        def insist() -> bool:
            if "Stopping without waiting" not in (stocked.path / "stderr.txt").read_text():
                server.process.send_signal(signal.SIGINT)
            return server.process.poll() is not None

        wait_until(insist)
        assert server.process.returncode == 0
        assert b'"shutting_down"' in response.read()


def test_a_second_ctrl_c_stops_without_draining(stocked: Home) -> None:
    """With an engine that ignores SIGTERM the next signal ends gglib immediately, and the engine with it."""
    stocked.script(Script(ignore_term=True))
    with stocked.serving() as server:
        stocked.ok("run", "tiny", "Hello")
        (engine,) = stocked.engine_pids()
        server.process.send_signal(signal.SIGINT)
        wait_until(lambda: "Stopping: " in (stocked.path / "stderr.txt").read_text())
        assert server.process.poll() is None, "signals that come together are one wish"

        def insist() -> bool:
            server.process.send_signal(signal.SIGINT)
            return server.process.poll() is not None

        wait_until(insist)
        assert server.process.returncode == 130
        wait_until(lambda: not is_alive(engine))


def test_a_reader_of_the_log_that_goes_with_the_same_ctrl_c_keeps_nothing_alive(stocked: Home) -> None:
    """In ``gglib serve 2>&1 | tee log`` Ctrl-C ends tee, too; gglib must exit despite the broken pipe."""
    process = subprocess.Popen(
        [sys.executable, "-m", "gglib", "serve", "--port", "0"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=stocked.environment,
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith(b"Listening")
    assert process.stdout.readline().startswith(b"Page")
    assert process.stdout.readline().startswith(b"Engine")
    process.stdout.close()
    process.send_signal(signal.SIGINT)
    # 120: Python's exit code if flushing its output at exit failed.
    assert process.wait(20) in {0, 120}
    assert not (stocked.path / "run" / "instance.json").exists()


def test_a_second_gglib_on_the_same_home_is_refused(stocked: Home) -> None:
    """A second serve prints the address of the running server and does not disturb it."""
    with stocked.serving() as server:
        assert server.url in stocked.refused("serve")
        assert server.process.poll() is None


def test_what_runs_is_seen_and_stopped_from_beside(stocked: Home) -> None:
    """ps, list and show display the model that a request loaded; stop unloads it, and the server keeps running."""
    assert "No gglib is running" in stocked.ok("ps")
    nothing: dict[str, object] = {
        "server": None,
        "residents": [],
        "waiting": [],
        "failed": [],
        "last_swap": None,
        "swaps": [],
        "loads": [],
        "limits": {},
        "used": {},
        "devices": {},
        "hint": None,
        "kept": None,
        "remotes": [],
        "nodes": [],
    }
    assert json.loads(stocked.ok("ps", "--json")) == nothing
    assert "No gglib is running" in stocked.refused("stop")
    with stocked.serving() as server:
        assert "No model is loaded" in stocked.ok("ps")
        assert stocked.ok("run", "tiny", "Hello").strip() == ANSWER
        (engine,) = stocked.engine_pids()
        status = json.loads(stocked.ok("ps", "--json"))
        assert status["server"] == {"pid": server.process.pid, "url": server.url}
        assert status.keys() - nothing.keys() == {"version", "instance", "readiness"}
        assert [resident["pid"] for resident in status["residents"]] == [engine]
        assert "ready" in stocked.ok("ps")
        assert json.loads(stocked.ok("list", "--json"))[0]["state"] == "ready"
        assert json.loads(stocked.ok("show", "tiny", "--json"))["state"] == "ready"
        assert "Unloaded tiny" in stocked.ok("stop")
        wait_until(lambda: not is_alive(engine))
        assert "No model was loaded" in stocked.ok("stop")
        assert server.process.poll() is None


def test_the_server_is_ended_from_beside(stocked: Home) -> None:
    """``stop --server`` returns when the server has exited, and a new server can start immediately."""
    with stocked.serving() as server:
        assert str(server.process.pid) in stocked.ok("stop", "--server")
        assert server.process.wait(5) == 0
    assert "No gglib is running" in stocked.refused("stop", "--server")
    with stocked.serving():
        pass


def test_a_model_that_fails_to_load_is_one_sentence_with_the_reason(stocked: Home) -> None:
    """``run`` prints the engine's reason, and ps shows it afterwards."""
    stocked.script(Script(load_fails_with="error: tensor 'x' is missing"))
    with stocked.serving():
        assert "tensor 'x' is missing" in stocked.refused("run", "tiny", "Hello")
        assert "tensor 'x' is missing" in stocked.ok("ps")


def test_run_needs_no_server(stocked: Home) -> None:
    """Without a server run starts a private one and stops it at exit; a pipe supplies the prompt."""
    assert stocked.ok("run", "tiny", "Hello").strip() == ANSWER
    assert stocked.ok("run", "tiny", stdin="Hello\n").strip() == ANSWER
    assert stocked.engine_pids() == []
    assert "No gglib is running" in stocked.ok("ps")
    assert stocked.run("run", "tiny").returncode == 2


@pytest.mark.parametrize("is_loading", [False, True], ids=["answering", "loading"])
def test_ctrl_c_ends_the_answer_of_run(stocked: Home, *, is_loading: bool) -> None:
    """The command exits immediately without a message and cancels its request: the server has none in flight."""
    stocked.script(replace(SLOW, load_s=30.0) if is_loading else SLOW)
    command = [*GGLIB, "run", "tiny", "Hello"]
    pipe = subprocess.PIPE

    def residents() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(stocked.ok("ps", "--json"))["residents"]
        return found

    with (
        stocked.serving(),
        PreloadedProcess(command, text=True, env=stocked.environment, stdout=pipe, stderr=pipe) as run,
    ):
        assert run.stdout is not None
        assert run.stderr is not None
        if is_loading:
            wait_until(lambda: [one["state"] for one in residents()] == ["loading"])
        else:
            assert run.stdout.read(2) == "t0"
        run.send_signal(signal.SIGINT)
        assert run.wait(LIMIT_S) == EXIT_INTERRUPTED
        assert run.stderr.read().strip() == ""
        wait_until(lambda: all(one["in_flight"] == 0 for one in residents()))


def test_an_answer_that_breaks_off_is_an_error(stocked: Home) -> None:
    """If the engine dies mid-stream, run shows the partial response, prints the error and exits with 1."""
    stocked.script(Script(die_after_bytes=700))
    with stocked.serving():
        done = stocked.run("run", "tiny", "Hello")
    assert done.returncode == 1
    assert done.stdout.startswith("t0")
    assert done.stderr.splitlines()[-1].startswith("Error: ")


def test_up_proves_that_a_model_answers_and_says_what_to_paste(stocked: Home) -> None:
    """``up`` prints the model's response and a request with the real address; Ctrl-C exits with 0."""
    with stocked.foreground("up", "--port", "0", first_words="Serving  http") as running:
        assert running.process.stdout is not None
        shown = []
        for line in running.process.stdout:
            shown.append(line)
            if "Ctrl-C" in line:
                break
        text = "".join(shown)
        assert f"Answer   {ANSWER}" in text
        assert f"curl {running.url}/v1/chat/completions" in text
        assert "gglib connect" in text
        assert "gglib launch" in text
        assert running.end(signal.SIGINT) == 0
    assert stocked.engine_pids() == []


def test_up_without_a_model_or_a_terminal_says_what_to_type(home: Home) -> None:
    """``up`` downloads nothing without consent: without a terminal it names both ways to get a first model."""
    sentence = home.refused("up")
    assert "gglib up --yes" in sentence
    assert "gglib add" in sentence


def test_up_serves_although_no_model_answers_its_test(stocked: Home) -> None:
    """It names the model, the reason and what to type next, offers no request to it, and serves models added later."""
    stocked.script(Script(scripts={"tiny": {"load_fails_with": "error: no such tensor"}}))
    with stocked.foreground("up", "--port", "0", first_words="Serving  http") as running:
        assert running.process.stdout is not None
        shown = "".join(takewhile(lambda line: "Ctrl-C" not in line, running.process.stdout))
        assert "gglib connect" in shown
        assert "Try it" not in shown
        warned = (stocked.path / "stderr.txt").read_text()
        assert "no such tensor" in warned
        assert "'gglib logs tiny'" in warned
        assert "Warning: No model has answered the test. gglib serves anyway; 'gglib doctor' checks" in warned
        assert "Trying the next model" not in warned
        assert stocked.engine_pids() == []
        stocked.ok("add", str(write_tiny_gguf(stocked.path / "other.gguf", seed=5)), "--name", "whole")
        assert stocked.ok("run", "whole", "Hello")
        assert running.end(signal.SIGINT) == 0


def test_up_tests_three_models_at_most(stocked: Home) -> None:
    """Three failures have a common cause, which a fourth load would only show later."""
    stocked.script(Script(load_fails_with="error: no such tensor"))
    for seed in (5, 6, 7):
        stocked.ok("add", str(write_tiny_gguf(stocked.path / f"other-{seed}.gguf", seed=seed)))
    with stocked.foreground("up", "--port", "0", first_words="Serving  http") as running:
        assert running.process.stdout is not None
        assert any("Ctrl-C" in line for line in running.process.stdout)
        warned = (stocked.path / "stderr.txt").read_text()
        assert (warned.count("Warning: "), warned.count("Trying the next model")) == (4, 2)
        assert running.end(signal.SIGINT) == 0


def test_up_is_not_kept_from_serving_by_one_broken_model(stocked: Home) -> None:
    """``up`` names the model that failed to load and its log, tests the next one, and suggests removing no model."""
    stocked.script(Script(scripts={"tiny": {"load_fails_with": "error: no such tensor"}}))
    other = write_tiny_gguf(stocked.path / "other.gguf", seed=5)
    stocked.ok("add", str(other), "--name", "whole")
    with stocked.foreground("up", "--port", "0", first_words="Serving  http") as running:
        assert running.process.stdout is not None
        assert any(line.startswith("Answer") for line in running.process.stdout)
        warned = (stocked.path / "stderr.txt").read_text()
        assert "no such tensor" in warned
        assert "'gglib logs tiny'" in warned
        assert "'gglib verify tiny'" in warned
        assert "gglib rm" not in warned
        assert running.end(signal.SIGINT) == 0


def test_a_home_that_cannot_be_written_is_one_sentence(stocked: Home) -> None:
    """A directory takes the lock's path: root bypasses permissions."""
    (stocked.path / "run" / "gglib.lock").unlink(missing_ok=True)
    (stocked.path / "run" / "gglib.lock").mkdir(parents=True)
    assert "another --home" in stocked.refused("serve")


def test_logs_show_what_gglib_and_an_engine_wrote(stocked: Home) -> None:
    """Both logs remain after the server exits; before its first start the command says that there are none."""
    assert "No log yet" in stocked.run("logs", "tiny").stderr
    stocked.script(Script(stderr_noise_bytes=1000))
    stocked.ok("run", "tiny", "Hello")
    assert "POST /v1/chat/completions" in stocked.ok("logs")
    with stocked.serving() as server:
        with closing(http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=10)) as connection:
            connection.request("GET", "/gglib/status", headers={"Origin": "http://a.page"})
            assert connection.getresponse().status == 403
        stocked.ok("ps")
        stocked.ok("run", "tiny", "Hello")
        assert stocked.ok("logs").count("/gglib/status") == 1, (
            "what gglib itself asks is no line; a page's wish is"
        )
    assert len(stocked.ok("logs", "tiny", "-n", "2").splitlines()) == 2


def test_a_port_that_is_taken_is_one_sentence(stocked: Home) -> None:
    """The message says that another program has the port, and suggests another; doctor says the same."""
    with stocked.serving() as server:
        port = str(urlsplit(server.url).port)
        other = stocked.path / "other"
        assert "--port" in stocked.refused("--home", str(other), "serve", "--port", port)
    assert "must be a whole number" in stocked.refused("serve", "--port", "http")


def test_doctor_finds_the_machine_well(stocked: Home) -> None:
    """With an engine, a model and a free port every check is ok, also in JSON."""
    results = json.loads(stocked.ok("doctor", "--json"))
    verdicts = {result["name"]: result["verdict"] for result in results}
    assert set(verdicts) == {
        "python",
        "config",
        "engine",
        "gpu",
        "home",
        "models",
        "address",
        "access",
        "tls",
        "disk",
        "memory",
    }
    assert "fail" not in verdicts.values()


def test_doctor_names_what_is_wrong(stocked: Home) -> None:
    """A missing engine is a failure; the missing file of a model is a warning with the model's name."""
    stocked.model_file.unlink()
    (stocked.path / "config.toml").write_text('engine = "/nowhere/llama-server"\n', encoding="utf-8")
    done = stocked.run("doctor", "--json")
    found = {result["name"]: result for result in json.loads(done.stdout)}
    assert done.returncode == 1
    assert found["engine"]["verdict"] == "fail"
    assert found["models"]["verdict"] == "warn"
    assert "tiny" in found["models"]["detail"]


def test_a_reader_that_has_enough_ends_a_command_quietly(stocked: Home) -> None:
    """``gglib list | head -0`` prints no error."""
    process = subprocess.Popen(
        [sys.executable, "-m", "gglib", "list", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=stocked.environment,
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.stderr.close()
    process.wait(10)


def test_typo_in_the_settings_does_not_prevent_inspecting_and_stopping(stocked: Home) -> None:
    """Commands that need no setting warn about it once; doctor fails; commands that start a server refuse."""
    with stocked.serving() as server:
        stocked.set("prot = 1")
        for command in ("ps", "list", "show tiny", "stop"):
            done = stocked.run(*command.split())
            assert (done.returncode, done.stderr.count("Warning: ")) == (0, 1), done
            assert "unknown key 'prot'" in done.stderr
        config = next(r for r in json.loads(stocked.run("doctor", "--json").stdout) if r["name"] == "config")
        assert (config["verdict"], "unknown key 'prot'" in config["detail"]) == ("fail", True)
        refused = stocked.run("run", "tiny", "Hi")
        assert (refused.returncode, "unknown key 'prot'" in refused.stderr) == (1, True)
        assert stocked.run("stop", "--server").returncode == 0
        assert server.process.wait(LIMIT_S) == 0


def test_serve_without_models_says_what_to_type(home: Home) -> None:
    """Else the first request would be the first to say so; the commands work while it runs."""
    with home.foreground("serve", first_words="Listening on") as server:
        assert server.process.stdout is not None
        lines = [server.process.stdout.readline() for _ in range(3)]
    assert [line.partition(":")[0] for line in lines[:2]] == ["Page", "Engine"]
    assert "No models yet: " in lines[2]
    assert "pull' lists first models, " in lines[2]


def test_serve_with_models_does_not(stocked: Home) -> None:
    """Each start would repeat what is known."""
    with stocked.foreground("serve", first_words="Engine:") as server:
        assert server.end(signal.SIGTERM) == 0
        assert server.process.stdout is not None
        assert "No models yet" not in server.process.stdout.read()
