"""Embedding models and rerankers on the real engine.

The models are tiny; their header or the user's settings decide how they are launched.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from gglib.testing import write_tiny_encoder, write_tiny_gguf

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import Gglib
else:
    Gglib = object

pytestmark = pytest.mark.e2e

QUERY = {"query": "what is a cat", "documents": ["a small animal", "a planet of the sun"]}
CONTEXT = 4096
"""Context size of the server that these tests share."""

WRITERS: dict[str, Callable[["Path"], object]] = {
    "bert-reranker": lambda path: write_tiny_encoder(path, pooling_type=4, has_classifier=True),
    "bert-classifier": lambda path: write_tiny_encoder(path, pooling_type=None, has_classifier=True),
    "llama-reranker": lambda path: write_tiny_gguf(path, pooling_type=4, chat_template=None),
    "bert-embedder": lambda path: write_tiny_encoder(path, context_length=2048),
    "bert-unpooled": lambda path: write_tiny_encoder(path, pooling_type=None),
    "llama-mean": lambda path: write_tiny_gguf(path, pooling_type=1),
    "llama-last": lambda path: write_tiny_gguf(path, pooling_type=3),
}
WINDOWS = {"bert-embedder": 2048, "bert-unpooled": 512, "llama-mean": CONTEXT, "llama-last": CONTEXT}


@pytest.fixture(scope="module")
def pooling(gglib: Gglib) -> Gglib:
    """Add a model of each kind to the shared server's home, whose chat models are there as well."""
    for name, write in WRITERS.items():
        path = gglib.home / "files" / f"{name}.gguf"
        write(path)
        gglib.command("add", str(path), "--engine-args", "--threads 1")
    return gglib


def post(gglib: Gglib, path: str, body: dict[str, Any]) -> httpx2.Response:
    """Send a request, and return the response with any status."""
    return httpx2.post(f"{gglib.url}{path}", json=body, timeout=60)


def embed(gglib: Gglib, name: str, tokens: int) -> httpx2.Response:
    """Request the embedding of a text of this many tokens: one for each character, and one for the beginning."""
    return post(gglib, "/v1/embeddings", {"model": name, "input": "a" * (tokens - 1)})


@pytest.mark.parametrize("name", ["bert-reranker", "bert-classifier", "llama-reranker"])
def test_a_reranker_is_served(pooling: Gglib, name: str) -> None:
    """A model with rank pooling or a classifier in its header returns a score for each text on /v1/rerank."""
    answer = post(pooling, "/v1/rerank", {"model": name, **QUERY})
    assert answer.status_code == 200, answer.text
    scores = {result["index"]: result["relevance_score"] for result in answer.json()["results"]}
    assert sorted(scores) == [0, 1]
    assert scores[0] != scores[1]


@pytest.mark.parametrize(("name", "window"), WINDOWS.items())
def test_an_input_as_long_as_the_window_is_embedded(pooling: Gglib, name: str, window: int) -> None:
    """An input that fills the advertised window is accepted; one more token is an error.

    With last-token pooling the engine needs one position more than the input has (seen in b11549).
    """
    models = httpx2.get(f"{pooling.url}/v1/models").json()["data"]
    (shown,) = (model for model in models if model["id"] == name)
    assert (shown["capabilities"], shown["meta"]["n_ctx"], shown["context_length"]) == (
        ["embedding"],
        window,
        window,
    )
    longest = window - (name == "llama-last")
    answer = embed(pooling, name, longest)
    assert answer.status_code == 200, answer.text
    assert answer.json()["usage"]["prompt_tokens"] == longest
    assert len(answer.json()["data"][0]["embedding"]) == 64
    refused = embed(pooling, name, window + 2)
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "context_length_exceeded"), (
        refused.text
    )


def test_inputs_at_once_do_not_crowd_one_another_out(pooling: Gglib) -> None:
    """Eight inputs of three quarters of an encoder's window, at once and in one request, are all embedded."""
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: embed(pooling, "bert-embedder", 1500), range(8)))
    assert [answer.status_code for answer in answers] == [200] * 8
    many = post(pooling, "/v1/embeddings", {"model": "bert-embedder", "input": ["a" * 1500] * 8})
    assert many.status_code == 200, many.text
    assert len(many.json()["data"]) == 8


def test_what_the_user_says_wins(pooling: Gglib) -> None:
    """A chat model is served as an embedding model, as a reranker, and finally again as its header declares."""
    path = pooling.home / "files" / "chat.gguf"
    write_tiny_gguf(path)
    pooling.command("add", str(path), "--embedding", "--engine-args", "--threads 1")
    assert embed(pooling, "chat", 1500).status_code == 200
    pooling.command("set", "chat", "--rerank")
    pooling.command("stop")
    assert post(pooling, "/v1/rerank", {"model": "chat", **QUERY}).status_code == 200
    pooling.command("set", "chat", "--auto")
    pooling.command("stop")
    hello = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 5}
    assert post(pooling, "/v1/chat/completions", {"model": "chat", **hello}).status_code == 200


def test_the_pooling_that_the_user_gives_wins(pooling: Gglib) -> None:
    """An engine argument for the pooling changes the vectors of an embedding model on the embedded engine as well."""
    path = pooling.home / "files" / "pooled.gguf"
    write_tiny_encoder(path)
    pooling.command("add", str(path), "--engine-args", "--threads 1 --pooling cls")
    write_tiny_encoder(path.with_name("as-header.gguf"))
    pooling.command("add", str(path.with_name("as-header.gguf")), "--engine-args", "--threads 1")
    cls, mean = (embed(pooling, name, 20).json()["data"][0]["embedding"] for name in ("pooled", "as-header"))
    assert cls != pytest.approx(mean, abs=1e-3)
