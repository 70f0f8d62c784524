"""Several models side by side within a memory budget, on the real engine.

``scripts/check_memory.py`` runs the long version of the last test.
"""

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.e2e.conftest import Gglib

from gglib.system.process_memory import read_groups
from gglib.testing import write_tiny_encoder, write_tiny_gguf

pytestmark = pytest.mark.e2e

MB = 1_000_000
CONTEXT = 4096
BUDGET = 160 * MB
"""Three of the tiny models, which take 46 MB to 49 MB each, and not a fourth."""
LARGE = 16384
"""The context with which a chat model takes about 100 MB: it fits only beside one other."""
TOO_LARGE = 65536
TOLERANCE = 1.05
"""The measured memory may exceed the budget by a twentieth."""

WRITERS: dict[str, Callable[[Path], object]] = {
    "chat": lambda path: write_tiny_gguf(path, context_length=TOO_LARGE),
    "embedder": lambda path: write_tiny_encoder(path, context_length=2048),
    "reranker": lambda path: write_tiny_encoder(
        path, context_length=2048, pooling_type=4, has_classifier=True
    ),
    "chat-b": lambda path: write_tiny_gguf(path, context_length=TOO_LARGE, seed=1),
    "chat-c": lambda path: write_tiny_gguf(path, context_length=TOO_LARGE, seed=2),
    "embedder-b": lambda path: write_tiny_encoder(path, context_length=2048, seed=1),
}


@pytest.fixture(scope="module")
def budgeted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gglib]:
    """Serve six tiny models within the budget."""
    home = tmp_path_factory.mktemp("home")
    (home / "files").mkdir()
    gglib = Gglib(home)
    try:
        add_models(gglib)
        yield gglib.serve("--max-models", "auto", "--memory", f"{BUDGET // MB}M", "--ctx", str(CONTEXT))
    finally:
        gglib.stop()


def add_models(gglib: Gglib) -> None:
    """Write the models, and add them with one thread each."""
    for name, write in WRITERS.items():
        path = gglib.home / "files" / f"{name}.gguf"
        write(path)
        gglib.command("add", str(path), "--engine-args", "--threads 1")


def ask(gglib: Gglib, model: str, **fields: object) -> httpx2.Response:
    """Send a request that the kind of model can serve."""
    path, body = "/v1/completions", {"prompt": "abc", "max_tokens": 4, **fields}
    if model.startswith("embedder"):
        path, body = "/v1/embeddings", {"input": "abc"}
    elif model.startswith("reranker"):
        path, body = "/v1/rerank", {"query": "a", "documents": ["b", "c"]}
    return httpx2.post(f"{gglib.url}{path}", json={"model": model, **body}, timeout=120)


def names(gglib: Gglib) -> set[str]:
    """Return the models in memory."""
    return {resident["model_name"] for resident in gglib.residents()}


@contextmanager
def memory_watched(gglib: Gglib) -> Iterator[list[int]]:
    """Measure what all engines take, in bytes (PSS), ten times a second for the length of the block."""
    samples: list[int] = []
    is_over = threading.Event()

    def watch() -> None:
        while not is_over.wait(0.1):
            pids = [resident["pid"] for resident in gglib.residents() if resident["pid"]]
            groups = read_groups(pids, is_proportional=True)
            samples.append(sum(group.total_bytes for group in groups.values()))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield samples
    finally:
        is_over.set()
        thread.join()


def test_chat_embedder_and_reranker_stay_side_by_side(budgeted: Gglib) -> None:
    """Each is loaded once, and requests in turn cause no further loads."""
    trio = ("chat", "embedder", "reranker")
    for model in (*trio, *trio):
        answer = ask(budgeted, model)
        assert answer.status_code == 200, answer.text
    assert names(budgeted) == set(trio)
    assert [budgeted.launches(model) for model in trio] == [1, 1, 1]


def test_a_fourth_that_needs_the_room_of_two_evicts_two(budgeted: Gglib) -> None:
    """No more than needed: the third stays."""
    for model in ("chat", "embedder", "reranker"):
        ask(budgeted, model)
    answer = ask(budgeted, "chat-b", num_ctx=LARGE)
    assert answer.status_code == 200, answer.text
    assert len(names(budgeted)) == 2
    assert "chat-b" in names(budgeted)


def test_what_never_fits_is_refused_with_numbers_and_advice(budgeted: Gglib) -> None:
    """At once, and nothing is evicted for it."""
    before = names(budgeted)
    answer = ask(budgeted, "chat-c", num_ctx=TOO_LARGE)
    error: dict[str, Any] = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (500, "model_too_large")
    assert "160 MB" in error["message"]
    assert answer.headers["x-should-retry"] == "false"
    assert names(budgeted) == before


def test_random_requests_stay_within_the_budget(budgeted: Gglib) -> None:
    """What the engines really take is never above the budget by more than a twentieth."""
    draw = random.Random(16)  # noqa: S311 - repeatable
    with memory_watched(budgeted) as samples:
        for _ in range(30):
            answer = ask(budgeted, draw.choice(list(WRITERS)))
            assert answer.status_code == 200, answer.text
    assert len(samples) > 10
    assert max(samples) <= BUDGET * TOLERANCE
