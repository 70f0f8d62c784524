"""The server of the example: its home before the start, and the requests that are in progress in the pictures."""

import asyncio
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from http.client import HTTPException
from pathlib import Path

from scripts.page_pictures.engine_log import write_engine_log
from scripts.page_pictures.history import write_history
from scripts.page_pictures.hub import SLOW_DOWNLOAD, fill
from scripts.page_pictures.models import MODELS, add_models
from tests.support.page_server import PageServer
from tests.support.waiting import wait_until

from gglib.testing import LocalHub, Script

ADMIN = "ada"
KEYS = {"ada": "example-key-of-ada", "ben": "example-key-of-ben", "ci": "example-key-of-ci"}
SETTINGS = 'max_models = "auto"\n' + "".join(
    f'[api_keys.{name}]\nkey = "{key}"\nadmin = {str(name == ADMIN).lower()}\n' for name, key in KEYS.items()
)
_LOAD_S = {"gpt-oss-20b": 1.9, "qwen3-coder-30b": 2.8, "gemma-3-12b": 1.4, "mistral-small-24b": 2.2}
SCRIPT = Script(
    load_s=0.6,
    chunks=40,
    chunk_interval_s=0.008,
    lifetime_s=900.0,
    devices=("CUDA0: NVIDIA GeForce RTX 4090 (24564 MiB, 23650 MiB free)",),
    scripts={name: {"load_s": seconds} for name, seconds in _LOAD_S.items()},
)
_PROGRAMS = {"ada": "aider/0.86", "ben": "Zed/1.2", "ci": "OpenAI/Python 2.1.0"}
_LOADS = (
    ("mistral-small-24b", "ci"),
    ("llama-3.2-3b", "ben"),
    ("gemma-3-12b", "ben"),
    ("gpt-oss-20b", "ada"),
    ("nomic-embed-text", "ci"),
    ("qwen2.5-coder-7b", "ada"),
)
"""Requests, one after the other, which cause the swaps."""
_IN_PROGRESS = (
    ("gpt-oss-20b", "ada", 148),
    ("gpt-oss-20b", "ben", 131),
    ("qwen2.5-coder-7b", "ada", 96),
    ("gemma-3-12b", "ben", 71),
    ("gemma-3-12b", "ben", 71),
)
"""Model, key and tokens per second; the last ones wait, because the memory is full and the others are in use."""
_ENDLESS_CHUNKS = 100_000


def prepare(home: Path, hub: LocalHub) -> None:
    """Fill a home and its hub before the start of the server."""
    commits = fill(hub, home / "hub")
    asyncio.run(add_models(home, commits))
    asyncio.run(write_history(home / "history.db"))


@contextmanager
def in_progress(server: PageServer) -> Iterator[None]:
    """Cause swaps, then keep requests and a download in progress; they end with the server."""
    for name, key in _LOADS:
        _ask(server, name, key)
    server.request("POST", "/gglib/downloads", {"target": SLOW_DOWNLOAD}, program="Mozilla/5.0")
    for number, (name, key, speed) in enumerate(_IN_PROGRESS):
        script = {"chunks": _ENDLESS_CHUNKS, "chunk_interval_s": 1 / speed}
        options = {"x_script": script, "stream": True}
        threading.Thread(target=_ask, args=(server, name, key), kwargs=options, daemon=True).start()
        wait_until(lambda wanted=number + 1: _requests_of(server) >= wanted, poll_s=0.1)  # type: ignore[misc]
    model = MODELS[0]
    path = f"{server.home}/models/{model.repo}/{model.file}"
    write_engine_log(server.home / "logs" / "engines" / f"{model.name}.log", path)
    yield


def _requests_of(server: PageServer) -> int:
    status: dict[str, list[dict[str, int]]] = json.loads(server.request("GET", "/gglib/status"))
    waiting = sum(entry["waiting"] for entry in status["waiting"])
    return waiting + sum(resident["in_flight"] for resident in status["residents"])


def _ask(server: PageServer, name: str, key: str, **fields: object) -> None:
    client = replace(server, key=KEYS[key])
    try:
        if _is_embedder(name):
            client.request(
                "POST", "/v1/embeddings", {"model": name, "input": "Hello"}, program=_PROGRAMS[key]
            )
        else:
            client.ask(name, "Hello", program=_PROGRAMS[key], **fields)
    except (OSError, HTTPException):
        return


def _is_embedder(name: str) -> bool:
    return next(model for model in MODELS if model.name == name).template == ""


def names_of(server: PageServer) -> Mapping[str, str]:
    """Return the texts of this run, and what the pictures show for them."""
    return {str(server.home): "/home/ada/.local/share/gglib", server.url: "http://127.0.0.1:8080"}
