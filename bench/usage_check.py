"""Whether the usage equals what responses report: ``python -m bench.usage_check --requests 5000``.

One gglib with tiny models of its own serves mixed requests in three dialects at once: whole responses and streams,
several answers to one request, embeddings, rankings, tools, streams that the client leaves or an admin cancels, and
errors. Each client adds up what the responses say, parsed as JSON by the rules of its dialect, independent of gglib.
Each dialect has its own key, so ``GET /gglib/usage`` has one row for each. The exit code is 1 if a number differs; then
the first requests whose row differs are printed.
"""

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from gglib.app.serving.instance import running_instance
from gglib.testing import write_tiny_encoder, write_tiny_gguf

CHAT, EMBED, RANK = "tiny-chat", "tiny-embed", "tiny-rank"
ADMIN = "usage-check-admin"
START_S, REQUEST_S = 60.0, 120.0
CONTEXT = 2048
SHOWN = 10
TOOL = {
    "name": "count",
    "description": "Counts.",
    "parameters": {"type": "object", "properties": {"prompt_tokens": {"type": "integer"}}},
}
WORDS = [
    '"prompt_tokens": 7,',
    '"usage": {"completion_tokens": 99},',
    '"eval_count": 5',
    "lorem",
    "ipsum",
    "dolor",
]

Fields = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens of prompt and completion, and those of the prompt from the cache; None: nothing was reported."""

    prompt: int | None = None
    completion: int | None = None
    cached: int | None = None


def openai_tokens(parts: list[Any]) -> Tokens:
    """Return what the parts of an OpenAI response say: the last ``usage``, else llama.cpp's last ``timings``.

    With ``n`` above 1 a stream of llama-server's has one for each answer, a whole response only one (b11549).
    """
    usage = next((part["usage"] for part in reversed(parts) if part.get("usage")), None)
    if usage is not None:
        cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens")
        return Tokens(usage.get("prompt_tokens"), usage.get("completion_tokens"), cached)
    timings = [part["timings"] for part in parts if part.get("timings")]
    if not timings:
        return Tokens()
    last = timings[-1]
    return Tokens(last["prompt_n"] + last["cache_n"], last["predicted_n"], last["cache_n"])


def responses_tokens(parts: list[Any]) -> Tokens:
    """Return what the events of a stream of the Responses API, or a response, say."""
    usage = next(
        (found for part in reversed(parts) if (found := (part.get("response") or part).get("usage"))), None
    )
    if usage is None:
        return Tokens()
    return Tokens(
        usage["input_tokens"], usage["output_tokens"], usage["input_tokens_details"]["cached_tokens"]
    )


def anthropic_tokens(parts: list[Any]) -> Tokens:
    """Return what the events of a message, or a message, say; later events replace fields of earlier ones."""
    usage: Fields = {}
    for part in parts:
        usage |= part.get("message", {}).get("usage") or {}
        usage |= part.get("usage") or {}
    if not usage:
        return Tokens()
    read, written = usage.get("cache_read_input_tokens"), usage.get("cache_creation_input_tokens")
    return Tokens(usage["input_tokens"] + (read or 0) + (written or 0), usage.get("output_tokens"), read)


def ollama_tokens(parts: list[Any]) -> Tokens:
    """Return what the last line, or the only object, says."""
    last = parts[-1] if parts else {}
    return Tokens(last.get("prompt_eval_count"), last.get("eval_count"))


def nothing(parts: list[Any]) -> Tokens:
    """Return no tokens: the response says nothing about the usage of a model."""
    del parts
    return Tokens()


def parsed(body: bytes, content_type: str) -> list[Any]:
    """Return the objects of a response: of a stream those of its events or lines."""
    if "event-stream" in content_type:
        lines = [
            line[6:] for line in body.splitlines() if line.startswith(b"data: ") and b"[DONE]" not in line
        ]
    elif "ndjson" in content_type:
        lines = body.splitlines()
    else:
        lines = [body]
    objects = []
    for line in lines:
        try:
            objects.append(json.loads(line))
        except ValueError:  # the last one of a stream that the client left
            continue
    return [found for found in objects if isinstance(found, dict)]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of request. ``leaves``: its client does not read to the end; ``is_cancelled``: an admin cancels it."""

    name: str
    key: str
    path: str
    fields: Callable[[random.Random], Fields]
    tokens: Callable[[list[Any]], Tokens]
    leaves: bool = False
    is_cancelled: bool = False


def text(random_: random.Random) -> str:
    """Return a prompt of some words, some of which look like usage."""
    return " ".join(random_.choices(WORDS, k=random_.randint(1, 20)))


def chat(**more: Any) -> Callable[[random.Random], Fields]:  # noqa: ANN401 - fields of a request
    """Return what makes the fields of a chat."""
    return lambda random_: {
        "model": CHAT,
        "messages": [{"role": "user", "content": text(random_)}],
        "max_tokens": random_.randint(1, 40),
        **more,
    }


def prompt(model: str = CHAT, name: str = "prompt", **more: Any) -> Callable[[random.Random], Fields]:  # noqa: ANN401
    """Return what makes the fields of a request with a text."""
    return lambda random_: {"model": model, name: text(random_), **more}


def ollama(**more: Any) -> Callable[[random.Random], Fields]:  # noqa: ANN401 - fields of a request
    """Return what makes the fields of a chat of Ollama's."""
    return lambda random_: {
        "model": CHAT,
        "messages": [{"role": "user", "content": text(random_)}],
        "options": {"num_predict": random_.randint(1, 40)},
        **more,
    }


LONG = {"stream": True, "max_tokens": 1800}
LONG_OLLAMA = {"stream": True, "options": {"num_predict": 1800}}
TOO_LONG = {"messages": [{"role": "user", "content": "word " * 3 * CONTEXT}]}
OPENAI, ANTHROPIC, OLLAMA = "openai", "anthropic", "ollama"
V1, MESSAGES, RESPONSES = "/v1/chat/completions", "/v1/messages", "/v1/responses"
KINDS = [
    Kind("chat", OPENAI, V1, chat(), openai_tokens),
    Kind("chat, streamed", OPENAI, V1, chat(stream=True), openai_tokens),
    Kind(
        "chat, streamed, with usage",
        OPENAI,
        V1,
        chat(stream=True, stream_options={"include_usage": True}),
        openai_tokens,
    ),
    Kind("chat, timings per token", OPENAI, V1, chat(stream=True, timings_per_token=True), openai_tokens),
    Kind("chat, n = 3", OPENAI, V1, chat(n=3), openai_tokens),
    Kind(
        "chat, n = 3, with usage",
        OPENAI,
        V1,
        chat(n=3, stream=True, stream_options={"include_usage": True}),
        openai_tokens,
    ),
    Kind("chat, n = 3, streamed", OPENAI, V1, chat(n=3, stream=True), openai_tokens),
    Kind("chat, log probabilities", OPENAI, V1, chat(logprobs=True, top_logprobs=5), openai_tokens),
    Kind("chat, a tool", OPENAI, V1, chat(tools=[{"type": "function", "function": TOOL}]), openai_tokens),
    Kind("completion", OPENAI, "/v1/completions", prompt(max_tokens=20), openai_tokens),
    Kind(
        "completion, streamed", OPENAI, "/v1/completions", prompt(max_tokens=20, stream=True), openai_tokens
    ),
    Kind("native completion", OPENAI, "/completion", prompt(n_predict=20), openai_tokens),
    Kind("native completion, n_probs", OPENAI, "/completion", prompt(n_predict=40, n_probs=9), openai_tokens),
    Kind("embeddings", OPENAI, "/v1/embeddings", prompt(EMBED, "input"), openai_tokens),
    Kind(
        "embeddings, 60",
        OPENAI,
        "/v1/embeddings",
        lambda r: {"model": EMBED, "input": [text(r) for _ in range(60)]},
        openai_tokens,
    ),
    Kind(
        "ranking",
        OPENAI,
        "/v1/rerank",
        lambda r: {"model": RANK, "query": text(r), "documents": [text(r) for _ in range(9)]},
        openai_tokens,
    ),
    Kind("response", OPENAI, RESPONSES, prompt(name="input", max_output_tokens=30), responses_tokens),
    Kind(
        "response, streamed",
        OPENAI,
        RESPONSES,
        prompt(name="input", max_output_tokens=300, stream=True),
        responses_tokens,
    ),
    Kind("native embeddings", OPENAI, "/embedding", prompt(EMBED, "content"), openai_tokens),
    Kind(
        "ranking, documents",
        OPENAI,
        "/v2/rerank",
        lambda r: {"model": RANK, "query": text(r), "documents": [text(r)] * 3, "return_documents": True},
        openai_tokens,
    ),
    Kind(
        "ranking, TEI",
        OPENAI,
        "/rerank",
        lambda r: {"model": RANK, "query": text(r), "texts": [text(r)] * 3},
        openai_tokens,
    ),
    Kind("tokenize", OPENAI, "/tokenize", prompt(name="content"), nothing),
    Kind("unknown model", OPENAI, V1, chat(model="nosuch"), openai_tokens),
    Kind("too long", OPENAI, V1, chat(**TOO_LONG), openai_tokens),
    Kind("invalid", OPENAI, V1, chat(temperature="hot"), openai_tokens),
    Kind("left", OPENAI, V1, chat(**LONG), openai_tokens, leaves=True),
    Kind("cancelled", OPENAI, V1, chat(**LONG), openai_tokens, is_cancelled=True),
    Kind("message", ANTHROPIC, MESSAGES, chat(), anthropic_tokens),
    Kind("message, streamed", ANTHROPIC, MESSAGES, chat(stream=True), anthropic_tokens),
    Kind("message, long", ANTHROPIC, MESSAGES, chat(stream=True, max_tokens=400), anthropic_tokens),
    Kind(
        "message, a tool",
        ANTHROPIC,
        MESSAGES,
        chat(tools=[{"name": "count", "input_schema": TOOL["parameters"]}]),
        anthropic_tokens,
    ),
    Kind("count_tokens", ANTHROPIC, f"{MESSAGES}/count_tokens", chat(), nothing),
    Kind("message, left", ANTHROPIC, MESSAGES, chat(**LONG), anthropic_tokens, leaves=True),
    Kind("message, cancelled", ANTHROPIC, MESSAGES, chat(**LONG), anthropic_tokens, is_cancelled=True),
    Kind("message, too long", ANTHROPIC, MESSAGES, chat(**TOO_LONG), anthropic_tokens),
    Kind("message, unknown", ANTHROPIC, MESSAGES, chat(model="nosuch"), anthropic_tokens),
    Kind("ollama chat", OLLAMA, "/api/chat", ollama(stream=False), ollama_tokens),
    Kind("ollama chat, streamed", OLLAMA, "/api/chat", ollama(), ollama_tokens),
    Kind(
        "ollama chat, a tool",
        OLLAMA,
        "/api/chat",
        ollama(tools=[{"type": "function", "function": TOOL}]),
        ollama_tokens,
    ),
    Kind(
        "ollama generate",
        OLLAMA,
        "/api/generate",
        prompt(stream=False, options={"num_predict": 30}),
        ollama_tokens,
    ),
    Kind(
        "ollama generate, streamed",
        OLLAMA,
        "/api/generate",
        prompt(options={"num_predict": 300}),
        ollama_tokens,
    ),
    Kind(
        "ollama generate, log probabilities",
        OLLAMA,
        "/api/generate",
        prompt(logprobs=True, top_logprobs=9, options={"num_predict": 30}),
        ollama_tokens,
    ),
    Kind(
        "ollama embed",
        OLLAMA,
        "/api/embed",
        lambda r: {"model": EMBED, "input": [text(r) for _ in range(40)]},
        ollama_tokens,
    ),
    Kind("ollama embeddings", OLLAMA, "/api/embeddings", prompt(EMBED), ollama_tokens),
    Kind("ollama, left", OLLAMA, "/api/chat", ollama(**LONG_OLLAMA), ollama_tokens, leaves=True),
    Kind("ollama, cancelled", OLLAMA, "/api/chat", ollama(**LONG_OLLAMA), ollama_tokens, is_cancelled=True),
    Kind("ollama, unknown model", OLLAMA, "/api/chat", ollama(model="nosuch"), ollama_tokens),
]
"""All kinds, of which one run sends about as many each."""  # fmt: skip


@dataclass(slots=True)
class Reported:
    """What the responses report, by request."""

    tokens: dict[str, Tokens] = field(default_factory=dict)
    kinds: dict[str, Kind] = field(default_factory=dict)
    statuses: dict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))


class Clients:
    """Sends the requests to one server, a few at a time."""

    def __init__(self, client: httpx2.AsyncClient, reported: Reported, concurrency: int) -> None:
        self._client = client
        self._reported = reported
        self._slots = asyncio.Semaphore(concurrency)

    async def send(self, kind: Kind, number: int) -> None:
        """Send one request, and keep what its response says."""
        async with self._slots:
            id_ = f"check-{number}"
            random_ = random.Random(number)
            headers = {"x-request-id": id_, "authorization": f"Bearer usage-check-{kind.key}"}
            request = self._client.stream("POST", kind.path, json=kind.fields(random_), headers=headers)
            async with request as response:
                body = await self._read(response, kind, id_)
            self._reported.kinds[id_] = kind
            self._reported.tokens[id_] = kind.tokens(parsed(body, response.headers.get("content-type", "")))
            self._reported.statuses[kind.name][response.status_code] += 1

    async def _read(self, response: httpx2.Response, kind: Kind, id_: str) -> bytes:
        body, is_cancelled = b"", False
        async for part in response.aiter_bytes():
            body += part
            if kind.leaves and len(body) > 1000:
                return body
            if kind.is_cancelled and not is_cancelled:
                is_cancelled = True
                await self._client.delete(f"/gglib/requests/{id_}", headers={"x-api-key": ADMIN})
        return body


@contextmanager
def server(home: Path, engine: str) -> Iterator[str]:
    """Serve the models of a home on a free port with an engine, and yield the URL."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("GGLIB_", "LLAMA_"))}
    environment = {**own, "GGLIB_HOME": str(home), "GGLIB_ENGINE": engine}
    for path in sorted((home / "files").iterdir()):
        subprocess.run(
            [sys.executable, "-m", "gglib", "add", str(path), "--name", path.stem, "--engine-args", "--threads 1"],
            env=environment,
            check=True,
            capture_output=True,
        )  # fmt: skip
    keys = "".join(f'[api_keys.{key}]\nkey = "usage-check-{key}"\n' for key in (OPENAI, ANTHROPIC, OLLAMA))
    (home / "config.toml").write_text(
        f'ctx = {CONTEXT}\nmax_models = 3\n[api_keys.root]\nkey = "{ADMIN}"\nadmin = true\n{keys}'
    )
    (home / "config.toml").chmod(0o600)
    with (home / "serve.out").open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "gglib", "serve", "--port", "0"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield _url(home, process)
    finally:
        process.terminate()
        process.wait(30)


def _url(home: Path, process: subprocess.Popen[bytes]) -> str:
    deadline_s = time.monotonic() + START_S
    while time.monotonic() < deadline_s and process.poll() is None:
        instance = running_instance(home / "run")
        if instance is not None and instance.pid == process.pid and instance.url:
            return instance.url
        time.sleep(0.05)
    raise SystemExit((home / "serve.out").read_text())


async def measure(url: str, requests: int, concurrency: int) -> tuple[Reported, Fields, list[Fields]]:
    """Send the requests. Return what was reported, the usage by key, and the stored requests."""
    reported = Reported()
    limits = httpx2.Limits(max_connections=concurrency * 2, max_keepalive_connections=concurrency)
    async with httpx2.AsyncClient(base_url=url, timeout=REQUEST_S, trust_env=False, limits=limits) as client:
        clients = Clients(client, reported, concurrency)
        order = [KINDS[number % len(KINDS)] for number in range(requests)]
        random.Random(1).shuffle(order)
        sends: list[Awaitable[None]] = [clients.send(kind, number) for number, kind in enumerate(order)]
        await asyncio.gather(*sends)
        headers = {"x-api-key": ADMIN}
        while (  # noqa: ASYNC110 - another process
            await client.get("/gglib/requests?state=running", headers=headers)
        ).json()["running"]:
            await asyncio.sleep(0.1)
        usage = (await client.get("/gglib/usage?by=key", headers=headers)).json()
        stored: list[Fields] = []
        page: Fields = {"next_before": 10**12}
        while page["next_before"] is not None:
            path = f"/gglib/requests?limit=1000&before={page['next_before']}"
            page = (await client.get(path, headers=headers)).json()
            stored += page["requests"]
        return reported, usage, stored


def compare(reported: Reported, usage: Fields) -> bool:
    """Print what was reported and what was stored for each key. Return whether they are equal."""
    rows = {row["key"]: row for row in usage["usage"]}
    is_equal = True
    print(
        f"{'key':<10} {'requests':>18} {'prompt tokens':>22} {'completion tokens':>22} {'cached tokens':>22}"
    )
    for key in (OPENAI, ANTHROPIC, OLLAMA):
        mine = [tokens for id_, tokens in reported.tokens.items() if reported.kinds[id_].key == key]
        sums = [
            len(mine),
            sum(tokens.prompt or 0 for tokens in mine),
            sum(tokens.completion or 0 for tokens in mine),
            sum(tokens.cached or 0 for tokens in mine),
        ]
        row = rows.get(key, {})
        names = ("requests", "prompt_tokens", "completion_tokens", "cached_tokens")
        found = [row.get(name, 0) for name in names]
        is_equal = is_equal and sums == found
        cells = [f"{a} {'=' if a == b else '≠'} {b}" for a, b in zip(sums, found, strict=True)]
        print(f"{key:<10} {cells[0]:>18} {cells[1]:>22} {cells[2]:>22} {cells[3]:>22}")
    return is_equal


def print_differences(reported: Reported, stored: list[Fields]) -> None:
    """Print the first requests whose stored row differs from its response."""
    rows = {row["request_id"]: row for row in stored}
    shown = Counter[str]()
    for id_, tokens in reported.tokens.items():
        row = rows.get(id_)
        found = row and Tokens(row["prompt_tokens"], row["completion_tokens"], row["cached_tokens"])
        kind = reported.kinds[id_].name
        if found != tokens and shown[kind] < 2 and len(shown) < SHOWN:
            shown[kind] += 1
            print(f"{kind}: reported {tokens}, stored {found}, status {row and row['status']}")


def main() -> int:
    """Run the check."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--requests", type=int, default=500)
    parser.add_argument("--concurrency", type=int, default=24)
    parser.add_argument(
        "--engine", default="embedded", help="embedded (default), or the path of a llama-server"
    )
    parser.add_argument("--kinds", action="store_true", help="also print the statuses of each kind")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory)
        (home / "files").mkdir()
        write_tiny_gguf(home / "files" / f"{CHAT}.gguf", name=CHAT, seed=1)
        write_tiny_encoder(home / "files" / f"{EMBED}.gguf", name=EMBED)
        write_tiny_encoder(home / "files" / f"{RANK}.gguf", name=RANK, pooling_type=4, has_classifier=True)
        with server(home, options.engine) as url:
            reported, usage, stored = asyncio.run(measure(url, options.requests, options.concurrency))
    if options.kinds:
        for name, statuses in sorted(reported.statuses.items()):
            print(f"{name:<40} {dict(statuses)}")
    is_equal = compare(reported, usage)
    print_differences(reported, stored)
    return 0 if is_equal else 1


if __name__ == "__main__":
    sys.exit(main())
