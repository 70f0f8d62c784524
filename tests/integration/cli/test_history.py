"""The request history of a real server: over a restart, over a reload, on both ports, and what is not in its file."""

from typing import Any

import httpx2

from .conftest import Home
from .test_ollama_port import second_url

PROMPT = "the-prompt-of-the-user"


def get(url: str, path: str) -> Any:
    """Return the JSON of a path."""
    return httpx2.get(url + path, timeout=30, trust_env=False).raise_for_status().json()


def chat(url: str, path: str = "/v1/chat/completions?token=SECRET-query", **fields: object) -> None:
    """Send a chat with the only model."""
    content = {"model": "tiny", "messages": [{"role": "user", "content": PROMPT}], **fields}
    headers = {"User-Agent": "OpenAI/Python 3.3.0", "Authorization": "Bearer SECRET-key"}
    httpx2.post(url + path, json=content, headers=headers, timeout=30, trust_env=False).raise_for_status()


def test_requests_outlive_the_server(stocked: Home) -> None:
    """A stop stores what has ended; the first request caused the load of its model, the others nothing."""
    with stocked.serving() as server:
        chat(server.url)
        chat(server.url, stream=True)
        server.process.terminate()
        server.process.wait(20)
    with stocked.serving() as server:
        found = get(server.url, "/gglib/requests")["requests"]
        usage = get(server.url, "/gglib/usage?by=model,client")["usage"]
        shown = get(server.url, f"/gglib/requests/{found[0]['request_id']}")
    assert [request["swap"] for request in found] == [None, "-> tiny"]
    assert [request["is_streamed"] for request in found] == [True, False]
    assert [(row["model"], row["client"], row["requests"]) for row in usage] == [("tiny", "openai-python", 2)]
    assert shown["request"] == found[0]
    assert shown["bodies"] is None


def test_the_file_has_no_prompt_answer_key_or_query(stocked: Home) -> None:
    """Searched bytewise, with the log of its transactions."""
    with stocked.serving() as server:
        chat(server.url)
        chat(server.url, "/api/chat", stream=True)
        get(server.url, "/gglib/requests?q=SECRET-query")
        server.process.terminate()
        server.process.wait(20)
    content = b"".join(path.read_bytes() for path in stocked.path.glob("history.db*"))
    assert b"tiny" in content
    for secret in (PROMPT, "SECRET", "t0 t1"):
        assert secret.encode() not in content


def test_a_reload_switches_the_history_off_and_on(stocked: Home) -> None:
    """What is stored stays; requests in between are not stored."""
    config = stocked.path / "config.toml"
    before = config.read_text()
    with stocked.serving() as server:
        chat(server.url)
        stocked.set("history = false")
        stocked.ok("reload")
        chat(server.url)
        found = get(server.url, "/gglib/requests")
        assert (found["is_off"], found["requests"]) == (True, [])
        config.write_text(before + "history_days = 3\nhistory_mb = 16\n")
        stocked.ok("reload")
        chat(server.url)
        found = get(server.url, "/gglib/requests?model=tiny")
    assert found["is_off"] is False
    assert len(found["requests"]) == 2


def test_both_ports_have_one_history(stocked: Home) -> None:
    """Requests on the port for clients of Ollama are found on the other."""
    stocked.set("ollama_port = 0")
    with stocked.serving() as server:
        chat(second_url(server), "/api/chat", stream=False)
        found = get(server.url, "/gglib/requests?route=/api/chat")["requests"]
    assert len(found) == 1


def test_a_history_that_cannot_be_opened_stops_nothing(stocked: Home) -> None:
    """Requests are served, and the log says what is wrong."""
    (stocked.path / "history.db").mkdir()
    with stocked.serving() as server:
        chat(server.url)
        assert get(server.url, "/health") == {"status": "ok"}
    assert "requests are not stored" in (stocked.path / "logs" / "gglib.log").read_text()
