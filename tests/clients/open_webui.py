"""Open WebUI with each of its two connections to gglib: ``python -m tests.clients.open_webui``.

Beside the other clients, because it is large: its packages have two gigabytes, and a start takes half a minute. Its own
API is asked as its page asks it.
"""

import argparse
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
from tests.clients.__main__ import ROOT, report_made
from tests.clients.environments import Environment, Maker, kill_group
from tests.clients.outcomes import Outcome, Row, exit_code, page, summary
from tests.clients.run import Runner
from tests.clients.server import CHAT, SMALL, TOOLS, UNKNOWN, Served
from tests.support.waiting import wait_until

OPEN_WEBUI = Environment(name="open-webui", installer="pip", packages=("open-webui==0.12.4",))
CONNECTIONS = ("openai", "ollama")
CASES = ("models", "plain", "stream", "tools", "error", "overflow", "parallel")
START_S = 240.0
CASE_S = 90.0
TOO_LONG = "one two three four " * 1500
TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Return the current weather of a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "enum": ["Paris", "Rome"]}},
            "required": ["city"],
        },
    },
}


class Page:
    """Asks Open WebUI what its page asks."""

    def __init__(self, url: str) -> None:
        self._http = httpx2.Client(base_url=url, timeout=CASE_S, trust_env=False)
        # Without accounts, an empty sign-in is the administrator's.
        signed_in = self._http.post("/api/v1/auths/signin", json={"email": "", "password": ""})
        self._http.headers["Authorization"] = f"Bearer {signed_in.json()['token']}"

    def names(self) -> list[str]:
        """Return the models in its list."""
        return [model["id"] for model in self._http.get("/api/models").json()["data"]]

    def ask(
        self, model: str, content: str = "Write a sentence about the sea.", **fields: Any
    ) -> httpx2.Response:
        """Return the response to one message; ``model`` is gglib's name."""
        body = {"messages": [{"role": "user", "content": content}], "max_tokens": 12, **fields}
        return self._http.post("/api/chat/completions", json={"model": model, **body})

    def has(self, model: str) -> bool:
        """Whether its list has a model of gglib."""
        return model in self.names()


def models(page: Page) -> None:
    """Find gglib's models in the list."""
    expect(page.has(CHAT) and page.has(TOOLS), page.names())


def plain(page: Page) -> None:
    """Get a whole response."""
    answer = page.ask(CHAT, stream=False)
    expect(answer.status_code == 200 and answer.json()["choices"][0]["message"]["content"], answer.text)


def stream(page: Page) -> None:
    """Get events in OpenAI's form, whatever the connection."""
    answer = page.ask(CHAT, stream=True)
    events = [line for line in answer.text.splitlines() if line.startswith("data: ")]
    expect(answer.status_code == 200 and len(events) > 3, answer.text)


def tools(page: Page) -> None:
    """Get a call of a tool."""
    answer = page.ask(TOOLS, stream=False, tools=[TOOL], max_tokens=200)
    expect(answer.json()["choices"][0]["message"]["tool_calls"], answer.text)


def error(page: Page) -> None:
    """Ask for a model that is not in the list."""
    answer = page.ask(UNKNOWN, stream=False)
    expect(answer.status_code >= 400, answer.text)


def overflow(page: Page) -> None:
    """Get the server's sentence, which the page shows."""
    answer = page.ask(SMALL, TOO_LONG, stream=False)
    expect(answer.status_code >= 400 and "context" in answer.text, answer.text)


def parallel(page: Page) -> None:
    """Get two responses at once."""
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: page.ask(CHAT, stream=False), range(2)))
    expect([answer.status_code for answer in answers] == [200, 200], [answer.text for answer in answers])


RUN: Mapping[str, Callable[[Page], None]] = {
    "models": models,
    "plain": plain,
    "stream": stream,
    "tools": tools,
    "error": error,
    "overflow": overflow,
    "parallel": parallel,
}


def expect(condition: object, received: object) -> None:
    """Fail with what was received."""
    if not condition:
        raise AssertionError(str(received))


def main() -> int:
    """Install, run both connections, print the page, and return the exit code."""
    parser = argparse.ArgumentParser(prog="tests.clients.open_webui", description=__doc__)
    parser.add_argument("--limit-min", type=float, default=40.0, help="minutes for installing (default 40)")
    options = parser.parse_args()
    cache = Path(os.environ.get("CLIENTS_CACHE") or ROOT / ".cache" / "clients")
    cache.mkdir(parents=True, exist_ok=True)
    limit_s = options.limit_min * 60
    made = Maker(cache, time.monotonic() + limit_s, each_s=limit_s, on_made=report_made).make(OPEN_WEBUI)
    if not made.is_ready:
        return 0
    with tempfile.TemporaryDirectory(prefix="clients-") as work:
        runner = Runner(cache, Path(work), time.monotonic() + 3600)
        with runner.serving_models() as served:
            rows = [row_of(connection, cache, Path(work) / connection, served) for connection in CONNECTIONS]
    print(page(rows, date=f"{datetime.now(UTC):%Y-%m-%d}", cases=CASES, facts="Open WebUI"))
    print(summary(rows))
    return exit_code(rows)


def row_of(connection: str, cache: Path, data: Path, served: Served) -> Row:
    """Run all cases with one connection."""
    with running(connection, cache, data, served) as url:
        asked = Page(url)
        outcomes = tuple(outcome_of(case, asked) for case in CASES)
    return Row(
        client=f"open-webui-{connection}",
        dialect="chat" if connection == "openai" else "ollama",
        version=OPEN_WEBUI.version(),
        outcomes=outcomes,
    )


def outcome_of(case: str, asked: Page) -> Outcome:
    """Run one case."""
    started_s = time.monotonic()
    detail = ""
    try:
        RUN[case](asked)
    except Exception as failure:  # noqa: BLE001 - every failure is a result
        detail = f"{type(failure).__name__}: {failure}"
    seconds = time.monotonic() - started_s
    return Outcome(case=case, result="failed" if detail else "ok", detail=detail, seconds=seconds)


@contextmanager
def running(connection: str, cache: Path, data: Path, served: Served) -> Iterator[str]:
    """Run Open WebUI during the block, without accounts and without downloads; yield its address."""
    data.mkdir(parents=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    is_openai = connection == "openai"
    variables = {
        "PATH": os.environ["PATH"],
        "HOME": str(data),
        "DATA_DIR": str(data),
        "WEBUI_AUTH": "False",
        "WEBUI_SECRET_KEY": "none",
        "OFFLINE_MODE": "True",
        "HF_HUB_OFFLINE": "1",
        "RAG_EMBEDDING_ENGINE": "openai",
        "ENABLE_VERSION_UPDATE_CHECK": "False",
        "ENABLE_TITLE_GENERATION": "False",
        "ENABLE_OPENAI_API": str(is_openai),
        "OPENAI_API_BASE_URLS": f"{served.url}/v1",
        "OPENAI_API_KEYS": "none",
        "ENABLE_OLLAMA_API": str(not is_openai),
        "OLLAMA_BASE_URLS": served.url,
        "NO_PROXY": "127.0.0.1,localhost",
    }
    command = [
        str(OPEN_WEBUI.binary(cache, "open-webui")),
        "serve",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    log = data / "output.txt"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            env=variables,
            cwd=data,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until(
            lambda: is_up(url) or process.poll() is not None,
            within_s=START_S,
            poll_s=0.5,
            explain=lambda: log.read_text(errors="replace")[-2000:],
        )
        if process.poll() is not None:
            raise RuntimeError(log.read_text(errors="replace")[-2000:])
        yield url
    finally:
        process.send_signal(signal.SIGINT)
        kill_group(process)


def is_up(url: str) -> bool:
    """Whether it responds."""
    try:
        return httpx2.get(f"{url}/health", trust_env=False).status_code == 200
    except httpx2.TransportError:
        return False


if __name__ == "__main__":
    sys.exit(main())
