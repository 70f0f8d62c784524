"""Models that commands and other servers serve, beside a model of the real engine, through ``gglib serve``."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.e2e.backends import PROGRAM, add_backend, add_program
from tests.e2e.conftest import Gglib
from tests.support.engines import EMBEDDED
from tests.support.waiting import is_alive, wait_until

from gglib.core.backends import CommandBackend, UrlBackend
from gglib.runtime.engines.llama_cpp import embedded_main

pytestmark = pytest.mark.e2e

FOREIGN_LLAMA_SERVER = """
import json, sys
port, model, plan_file, key_file, runner = sys.argv[1:]
fields = {"model.path": model, "hostnames": ["127.0.0.1"], "port": int(port), "n_ctx": 1024, "n_parallel": 1,
          "model_alias": ["other"], "cpuparams.n_threads": 1, "use_jinja": True, "embedding": False}
json.dump({"fields": fields, "key_file": key_file}, open(plan_file, "w"))
sys.argv = [runner, plan_file]
exec(compile(open(runner).read(), runner, "exec"))
"""
"""llama.cpp's server with options that gglib would not choose: a fixed port, another name, a small context."""


def started(record: Path) -> list[int]:
    """Return the pids of a program's starts."""
    return [json.loads(line)["pid"] for line in record.read_text().splitlines()] if record.exists() else []


def chat(gglib: Gglib, model: str, **body: Any) -> httpx2.Response:
    """Send a chat request."""
    request = {"model": model, "messages": [{"role": "user", "content": "hi"}], "max_tokens": 4, **body}
    return httpx2.post(f"{gglib.url}/v1/chat/completions", json=request, timeout=60, trust_env=False)


def content_of(response: httpx2.Response) -> str:
    """Return the message of a response."""
    assert response.status_code == 200, response.text
    return str(response.json()["choices"][0]["message"]["content"])


def test_commands_are_swapped_with_a_model_of_the_engine(home: Gglib) -> None:
    """A Python program, llama.cpp's server with foreign options, and the embedded engine take turns in one place."""
    record = add_program(home.home, "program", "--socket={socket}", "--key-file={key_file}")
    server = FOREIGN_LLAMA_SERVER.replace("{", "{{").replace("}", "}}")
    model = str(home.home / "files" / "tiny-a.gguf")
    words = ("{port}", model, str(home.home / "plan"), "{key_file}", embedded_main.__file__)
    add_backend(home.home, "foreign", CommandBackend(argv=(sys.executable, "-c", server, *words)))
    home.serve("--ctx", "512")
    assert content_of(chat(home, "program")) == "one two three"
    (program,) = started(record)
    assert content_of(chat(home, "tiny-a"))
    assert not is_alive(program)
    assert content_of(chat(home, "foreign"))
    assert [resident["model_name"] for resident in home.residents()] == ["foreign"]
    assert content_of(chat(home, "program")) == "one two three"
    assert [resident["model_name"] for resident in home.residents()] == ["program"]
    assert home.stop() == 0
    assert home.engines() == []
    assert not any(map(is_alive, started(record)))


@pytest.mark.only_engine(EMBEDDED)  # no engine runs
def test_a_program_that_dies_in_a_stream_ends_it_with_an_error(home: Gglib) -> None:
    """What arrived is delivered, then the reason from its log, and no [DONE]; the next request starts it again."""
    record = add_program(home.home, "dies", "--port", "{port}", "--die-in-stream")
    home.serve()
    response = chat(home, "dies", stream=True)
    assert response.status_code == 200
    events = [line.removeprefix("data: ") for line in response.text.splitlines() if line.startswith("data: ")]
    assert json.loads(events[0])["choices"][0]["delta"]["content"] == "one"
    assert "ValueError: the model is confused" in json.loads(events[-1])["error"]["message"]
    assert "[DONE]" not in response.text
    assert content_of(chat(home, "dies")) == "one two three"
    assert len(started(record)) == 2


def test_a_broken_command_is_an_error_that_says_what_to_look_at(home: Gglib) -> None:
    """It is never ready: the error names the health path and the log, and the other models go on."""
    record = add_program(home.home, "broken", "--port", "{port}", "--never-ready", start_timeout_s=2.0)
    home.serve()
    response = chat(home, "broken")
    assert response.status_code == 500
    error = response.json()["error"]
    assert error["code"] == "model_load_failed"
    assert "GET /health did not return 200; 'gglib logs broken' shows its log" in error["message"]
    assert not any(map(is_alive, started(record)))
    assert content_of(chat(home, "tiny-a"))


@pytest.mark.only_engine(EMBEDDED)  # no engine runs
def test_kill_9_of_gglib_leaves_no_command(home: Gglib) -> None:
    """Neither the program, which ignores signals, nor its child in a session of its own."""
    pids = home.home / "pids"
    add_program(home.home, "stubborn", "--port", "{port}", "--ignore-stop", "--child", str(pids))
    home.serve()
    assert content_of(chat(home, "stubborn")) == "one two three"
    home.stop(signal.SIGKILL)
    wait_until(lambda: not any(map(is_alive, json.loads(pids.read_text()))))


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """Return the file for which ``box`` waits before it responds."""
    return tmp_path / "gate"


@pytest.fixture
def box(gate: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a server that gglib does not launch; its first line ends with its port."""
    with subprocess.Popen(
        [*PROGRAM, "--port", "0", "--key", "box-key", "--wait-for", str(gate)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as program:
        yield program
        program.kill()


def test_a_server_elsewhere_is_a_model(
    home: Gglib, box: "subprocess.Popen[str]", gate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slow, the client gets heartbeats; up, responses are relayed; down, the error names it; so is a missing key."""
    assert box.stdout is not None
    port = int(box.stdout.readline().split()[-1])
    url = f"http://127.0.0.1:{port}/v1"
    add_backend(home.home, "box", UrlBackend(base_url=url, key_env="BOX_KEY", model="theirs"))
    add_backend(home.home, "no-key", UrlBackend(base_url=url, key_env="NO_SUCH_VARIABLE"))
    monkeypatch.setenv("BOX_KEY", "box-key")
    (home.home / "config.toml").write_text("heartbeat_s = 0.1\n")
    home.serve()
    assert content_of(chat(home, "tiny-a"))
    request = {"model": "box", "messages": [{"role": "user", "content": "hi"}], "stream": True}
    with httpx2.stream(
        "POST", f"{home.url}/v1/chat/completions", json=request, timeout=60, trust_env=False
    ) as response:
        lines = response.iter_lines()
        assert next(lines).startswith(":")
        gate.touch()
        assert [line for line in lines if line.startswith("data: ")][-1] == "data: [DONE]"
    assert content_of(chat(home, "box")) == "one two three"
    assert [resident["model_name"] for resident in home.residents()] == ["tiny-a"]
    missing = chat(home, "no-key")
    assert (missing.status_code, missing.json()["error"]["code"]) == (500, "backend_key_missing")
    assert "NO_SUCH_VARIABLE" in missing.text
    box.kill()
    box.wait()
    down = chat(home, "box")
    assert (down.status_code, down.json()["error"]["code"]) == (502, "upstream_error")
    assert f"127.0.0.1:{port}" in down.json()["error"]["message"]
    assert "box-key" not in down.text
    assert content_of(chat(home, "tiny-a"))
