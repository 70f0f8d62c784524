"""A model that cannot be loaded is reported by set, add, lists, requests and ``doctor``."""

import asyncio
import http.client
import json
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.support.waiting import wait_until

from gglib.app.models import engine_settings
from gglib.testing import Script, write_tiny_gguf

from .conftest import Home

INTERRUPTED = 130
"""The exit status of shells for a program that SIGINT ended."""


def ask(url: str, method: str, path: str, body: object = None) -> tuple[int, dict[str, Any]]:
    """Send a request and return the status and the JSON body of the response."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    connection.request(method, path, None if body is None else json.dumps(body))
    with closing(connection), connection.getresponse() as response:
        return response.status, json.loads(response.read())


def chat(url: str, model: str) -> tuple[int, dict[str, Any]]:
    """Request a short chat completion."""
    message = {"role": "user", "content": "Hi"}
    return ask(url, "POST", "/v1/chat/completions", {"model": model, "messages": [message]})


@pytest.mark.parametrize("arguments", ["--flash-attn on", "--cache-type-k q9_9", "--threads 99999999999"])
def test_an_argument_that_the_engine_refuses_is_refused_at_once(stocked: Home, arguments: str) -> None:
    """``set`` and ``add`` refuse it in a sentence that names the argument; nothing is changed or added."""
    stocked.script(Script(lacks_options=("--flash-attn",)))
    option = arguments.partition(" ")[0]
    assert option in stocked.refused("set", "tiny", "--engine-args", arguments)
    other = write_tiny_gguf(stocked.path / "other.gguf", seed=1)
    assert option in stocked.refused("add", str(other), "--engine-args", arguments)
    (model,) = json.loads(stocked.ok("list", "--json"))
    assert model["name"] == "tiny"
    assert "Engine args" not in stocked.ok("show", "tiny")


@pytest.mark.parametrize("command", ["set", "add"])
def test_an_engine_is_not_asked_on_an_event_loop(
    stocked: Home, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """The engine may take 20 s to respond; on an event loop the call would delay Ctrl-C."""

    def interrupted(_: object) -> None:
        with pytest.raises(RuntimeError, match="no running event loop"):
            asyncio.get_running_loop()
        raise KeyboardInterrupt

    monkeypatch.setattr(engine_settings, "find_engine", interrupted)
    model = "tiny" if command == "set" else str(write_tiny_gguf(stocked.path / "other.gguf", seed=1))
    assert stocked.run(command, model, "--engine-args", "--threads 1").returncode == INTERRUPTED


def test_doctor_names_models_that_the_engine_in_use_refuses(stocked: Home) -> None:
    """The argument was valid for the engine in use when it was set; the current engine rejects it."""
    stocked.ok("set", "tiny", "--engine-args", "--flash-attn on")
    stocked.script(Script(lacks_options=("--flash-attn",)))
    result = doctor_on_models(stocked)
    assert result["verdict"] == "warn"
    assert "'tiny'" in result["detail"]
    assert "--flash-attn" in result["detail"]


def test_doctor_names_models_whose_files_are_broken(stocked: Home) -> None:
    """The file is truncated."""
    stocked.model_file.write_bytes(stocked.model_file.read_bytes()[:-1000])
    result = doctor_on_models(stocked)
    assert result["verdict"] == "warn"
    assert (
        "1 of 1 cannot be loaded: 'tiny': the file 'tiny.gguf' cannot be used: incomplete" in result["detail"]
    )


def doctor_on_models(home: Home) -> dict[str, Any]:
    """Return doctor's check of the models."""
    results: list[dict[str, Any]] = json.loads(home.run("doctor", "--json").stdout)
    return next(result for result in results if result["name"] == "models")


def test_a_server_reads_replaced_files_again_and_keeps_good_models(stocked: Home) -> None:
    """A broken model gets a 500 without retry, the other still responds; a replaced file gets its own context size."""
    b = write_tiny_gguf(stocked.path / "b.gguf", context_length=8192, seed=1)
    stocked.ok("add", str(b))
    with stocked.serving() as server:
        assert chat(server.url, "tiny")[0] == 200
        (engine,) = stocked.engine_pids()
        b.write_bytes(b.read_bytes()[:-1000])
        status, answer = chat(server.url, "b")
        assert (status, answer["error"]["code"]) == (500, "model_load_failed")
        assert "incomplete" in answer["error"]["message"]
        assert stocked.engine_pids() == [engine]
        assert chat(server.url, "tiny")[0] == 200
        write_tiny_gguf(b, context_length=2048, seed=2)
        wait_until(lambda: ask(server.url, "GET", "/v1/models/b")[1]["context_length"] == 2048)
        assert chat(server.url, "b")[0] == 200


@pytest.mark.parametrize("by", ["command", "api"])
def test_a_model_that_is_removed_leaves_the_memory_of_a_server(stocked: Home, by: str) -> None:
    """``gglib rm`` unloads the model from a running server, as the API does."""
    with stocked.serving() as server:
        assert chat(server.url, "tiny")[0] == 200
        assert len(stocked.engine_pids()) == 1
        if by == "command":
            stocked.ok("rm", "tiny")
        else:
            assert ask(server.url, "DELETE", "/gglib/models/tiny")[0] == 200
        wait_until(lambda: stocked.engine_pids() == [])
        assert chat(server.url, "tiny")[0] == 404
