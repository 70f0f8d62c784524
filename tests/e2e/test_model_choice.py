"""Default models, alias lists, preloaded and pinned models, with the real engine and the official client."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from openai.types.chat import ChatCompletionMessageParam
from tests.e2e.conftest import make_home

from gglib.testing import write_tiny_encoder, write_tiny_gguf

if TYPE_CHECKING:
    from tests.e2e.conftest import Gglib
else:
    Gglib = object

pytestmark = pytest.mark.e2e

HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Hello"}]
CONFIG = """
default_model = "fast"
preload = ["embed"]
max_models = 2

[aliases]
fast = ["missing", "cut", "tiny-a", "Tiny-B"]
"""
BODIES: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"messages": HELLO, "max_tokens": 3},
    "/v1/completions": {"prompt": "abc", "max_tokens": 3},
    "/v1/responses": {"input": "Hello", "max_output_tokens": 3},
    "/v1/messages": {"messages": HELLO, "max_tokens": 3},
    "/v1/messages/count_tokens": {"messages": HELLO},
    "/completions": {"prompt": "abc", "n_predict": 3},
    "/v1/embeddings": {"input": "abc"},
    "/embeddings": {"content": "abc"},
    "/v1/rerank": {"query": "a", "documents": ["b", "c"]},
    "/rerank": {"query": "a", "documents": ["b", "c"]},
}
"""A body without a model for each route that is forwarded."""


@pytest.fixture(scope="module")
def chosen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gglib]:
    """Serve two chat models, an embedder and a reranker, beside two models whose files are broken."""
    gglib = make_home(tmp_path_factory.mktemp("home"))
    files = gglib.home / "files"
    write_tiny_gguf(files / "missing.gguf", seed=7)
    write_tiny_gguf(files / "cut.gguf", seed=8)
    write_tiny_encoder(files / "embed.gguf")
    write_tiny_encoder(files / "rank.gguf", pooling_type=4, has_classifier=True)
    for name in ("missing", "cut", "embed", "rank"):
        gglib.command("add", str(files / f"{name}.gguf"), "--name", name, "--engine-args", "--threads 1")
    break_files(files)
    (gglib.home / "config.toml").write_text(CONFIG, encoding="utf-8")
    yield gglib.serve("--ctx", "512")
    assert gglib.stop() == 0
    assert gglib.engines() == []


def break_files(files: Path) -> None:
    """Delete one model's file, and cut the other after its header."""
    (files / "missing.gguf").unlink()
    whole = (files / "cut.gguf").read_bytes()
    (files / "cut.gguf").write_bytes(whole[: len(whole) // 2])


def test_a_model_is_preloaded_before_the_first_request(chosen: Gglib) -> None:
    """The server listens before the model is ready."""
    chosen.wait_until(
        lambda: [one["model_name"] for one in chosen.residents() if one["state"] == "ready"] == ["embed"]
    )


def test_the_official_client_needs_no_model(chosen: Gglib) -> None:
    """The default is an alias list whose first two models cannot run: the third answers, also in a stream."""
    client = chosen.openai()
    answer = client.chat.completions.create(model="", messages=HELLO, max_tokens=3)
    assert answer.model == "tiny-a"
    assert answer.choices[0].message.content
    stream = client.chat.completions.create(model="fast", messages=HELLO, max_tokens=3, stream=True)
    assert {chunk.model for chunk in stream} == {"tiny-a"}
    assert client.embeddings.create(model="", input="abc").data[0].embedding
    assert "fast" in [model.id for model in client.models.list()]


@pytest.mark.parametrize("path", BODIES)
def test_the_engine_needs_no_model_on_any_route(chosen: Gglib, path: str) -> None:
    """The body reaches it as it was sent."""
    reply = httpx2.post(chosen.url + path, json=BODIES[path], timeout=60, trust_env=False)
    assert reply.status_code == 200, reply.text


def test_models_are_loaded_pinned_and_unloaded_by_commands(chosen: Gglib) -> None:
    """The catalogue keeps the pin, and unloading one model leaves the others."""
    loaded = json.loads(chosen.command("load", "Tiny-B", "--json"))
    assert loaded["model_name"] == "Tiny-B"
    assert json.loads(chosen.command("pin", "Tiny-B", "--json"))["is_pinned"] is True
    before = {one["model_name"] for one in chosen.residents()}
    chosen.command("unload", "Tiny-B")
    assert {one["model_name"] for one in chosen.residents()} == before - {"Tiny-B"}
    assert "Pinned" in chosen.command("show", "Tiny-B")


def test_requests_for_claude_use_the_chat_model_in_memory(chosen: Gglib) -> None:
    """Also if an embedder was used last, and another model is the default: nothing is loaded or unloaded."""
    chosen.command("load", "Tiny-B")
    httpx2.post(f"{chosen.url}/v1/embeddings", json={"input": "a"}, timeout=60, trust_env=False)
    before = sorted(one["model_name"] for one in chosen.residents())
    assert before == ["Tiny-B", "embed"]
    for path in ("/v1/messages?beta=true", "/v1/messages/count_tokens"):
        body = {"model": "claude-haiku-4-5", **BODIES[path.partition("?")[0]]}
        reply = httpx2.post(chosen.url + path, json=body, timeout=60, trust_env=False)
        assert reply.status_code == 200, reply.text
    assert sorted(one["model_name"] for one in chosen.residents()) == before
    assert chosen.openai().models.retrieve("claude-opus-4-8").id == "claude-opus-4-8"
