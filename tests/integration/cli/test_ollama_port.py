"""``--ollama-port``: a second listener for clients of Ollama, with real processes."""

import json
import os
import re
import socket
from contextlib import closing
from typing import Any

import httpx2
import pytest

from gglib.testing import Script

from .conftest import Home, Running

BROWSER = {"Accept": "text/html"}
SECRET = {"Authorization": "Bearer SECRET-of-alice"}


def second_url(running: Running) -> str:
    """Return the URL in the line of the output after that of the page."""
    assert running.process.stdout is not None
    assert running.process.stdout.readline().split() in (
        ["Page:", f"{running.url}/"],
        ["Page", f"{running.url}/"],
    )
    line = running.process.stdout.readline()
    assert line.startswith(("For clients of Ollama: http", "Ollama   http"))
    return line.split()[-1]


def chat(url: str, **headers: str) -> httpx2.Response:
    """Send a chat that is not streamed."""
    body = {"model": "tiny", "messages": [{"role": "user", "content": "hi"}], "stream": False}
    return httpx2.post(f"{url}/api/chat", json=body, headers=headers, timeout=30, trust_env=False)


def get(url: str, path: str, **headers: str) -> httpx2.Response:
    """Send a request without a body."""
    return httpx2.get(f"{url}{path}", headers=headers, timeout=30, trust_env=False)


def requests_counted(url: str, **headers: str) -> float:
    """Return how many chats ``/metrics`` counts."""
    lines = get(url, "/metrics", **headers).text.splitlines()
    return sum(
        float(line.split()[-1])
        for line in lines
        if line.startswith("gglib_requests_total{") and "/api/chat" in line
    )


@pytest.mark.parametrize(("command", "first_words"), [("serve", "Listening on"), ("up", "Serving  http")])
def test_both_ports_serve_the_same_models(stocked: Home, command: str, first_words: str) -> None:
    """One engine for both; only the main port has a page; the metrics count both."""
    with stocked.foreground(command, "--port", "0", "--ollama-port", "0", first_words=first_words) as running:
        other = second_url(running)
        assert other != running.url
        assert [chat(url).status_code for url in (running.url, other)] == [200, 200]
        assert len(stocked.engine_pids()) == 1
        assert get(other, "/", **BROWSER).text == "Ollama is running"
        assert get(running.url, "/", **BROWSER).text.startswith("<!doctype html>")
        assert get(other, "/api/ps").json()["models"][0]["name"] == "tiny"
        assert requests_counted(running.url) == requests_counted(other) == 2


def test_a_reload_reaches_both_ports(stocked: Home) -> None:
    """A new key is required on each."""
    stocked.set('ollama_port = 0\napi_keys = { alice = "SECRET-of-alice" }')
    with stocked.serving() as running:
        urls = (running.url, second_url(running))
        assert [chat(url, **SECRET).status_code for url in urls] == [200, 200]
        stocked.script(Script())  # writes config.toml anew
        stocked.set('ollama_port = 0\napi_keys = { alice = "SECRET-of-bob" }')
        stocked.ok("reload")
        assert [chat(url, **SECRET).status_code for url in urls] == [401, 401]


def test_a_port_that_is_taken_is_one_sentence(stocked: Home) -> None:
    """Usually by Ollama; ``doctor`` says the same before."""
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = str(taken.getsockname()[1])
        advice = stocked.refused("serve", "--port", "0", "--ollama-port", port)
        assert re.fullmatch(
            rf"Port {port} is in use by [^ ]+ \(pid {os.getpid()}\): if it is Ollama, stop it, or start gglib "
            r"without --ollama-port\.",
            advice,
        )
        stocked.set(f"ollama_port = {port}")
        checks: list[dict[str, Any]] = json.loads(stocked.process("doctor", "--json").stdout)
    (check,) = [check for check in checks if check["name"] == "ollama port"]
    assert (check["verdict"], check["detail"]) == ("fail", advice)


def test_the_port_may_be_off(stocked: Home) -> None:
    """As by default, and on the command line over ``config.toml``."""
    stocked.set("ollama_port = 11434")
    with stocked.foreground(
        "serve", "--port", "0", "--ollama-port", "off", first_words="Listening on"
    ) as running:
        assert running.process.stdout is not None
        lines = [running.process.stdout.readline() for _ in range(2)]
        assert [line.partition(":")[0] for line in lines] == ["Page", "Engine"]
    assert "'off'" in stocked.refused("serve", "--ollama-port", "x")
