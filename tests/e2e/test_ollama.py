"""Ollama's API on the real engine: every response holds the documented schema."""

import base64
import json
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from tests.support.ollama import checked, checked_lines

from gglib.testing import write_tiny_gguf

if TYPE_CHECKING:
    from tests.e2e.conftest import Gglib
else:
    Gglib = object

pytestmark = pytest.mark.e2e

HELLO = [{"role": "user", "content": "Hello"}]
SCHEMA = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}
FEW = {"num_predict": 6, "temperature": 0}


def post(gglib: Gglib, path: str, **fields: Any) -> httpx2.Response:
    """Send a request."""
    return httpx2.post(f"{gglib.url}{path}", json=fields, timeout=60, trust_env=False)


def get(gglib: Gglib, path: str) -> bytes:
    """Return the body of a response."""
    return httpx2.get(f"{gglib.url}{path}", timeout=60, trust_env=False).content


def test_a_chat_streamed_and_whole(gglib: Gglib) -> None:
    """The same text and counts."""
    streamed = checked_lines(
        "chat", post(gglib, "/api/chat", model="tiny-a", messages=HELLO, options=FEW).content
    )
    whole = checked(
        "chat_end",
        post(gglib, "/api/chat", model="tiny-a", messages=HELLO, options=FEW, stream=False).content,
    )
    text = "".join(line["message"]["content"] for line in streamed)
    assert text == whole["message"]["content"] != ""
    for end in (streamed[-1], whole):
        assert (end["eval_count"], end["done_reason"]) == (6, "length")
        assert end["prompt_eval_count"] > 10
        assert end["total_duration"] >= end["eval_duration"] > 0


def test_a_schema_is_enforced(gglib: Gglib) -> None:
    """The text is JSON of the schema, in both routes and in a raw prompt."""
    for path, fields in (
        ("/api/chat", {"messages": HELLO}),
        ("/api/generate", {"prompt": "Hello"}),
        ("/api/generate", {"prompt": "Hello", "raw": True}),
    ):
        reply = post(gglib, path, model="tiny-a", format=SCHEMA, stream=False, **fields)
        response = reply.json()
        text = response["response"] if path.endswith("generate") else response["message"]["content"]
        if response["done_reason"] == "stop":
            assert set(json.loads(text)) == {"age"}
        assert text.lstrip().startswith("{")


def test_prompts(gglib: Gglib) -> None:
    """With the template and without, with log probabilities."""
    fields: dict[str, Any] = {
        "model": "tiny-a:latest",
        "prompt": "Hello",
        "options": FEW,
        "logprobs": True,
        "top_logprobs": 2,
    }
    with_template = checked_lines("generate", post(gglib, "/api/generate", **fields).content)
    raw = checked_lines("generate", post(gglib, "/api/generate", raw=True, **fields).content)
    assert with_template[-1]["prompt_eval_count"] > raw[-1]["prompt_eval_count"]
    for line in (with_template[0], raw[0]):
        (token,) = line["logprobs"]
        assert len(token["top_logprobs"]) == 2


def test_what_the_model_cannot_do(gglib: Gglib) -> None:
    """400 with a sentence."""
    png = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()
    requests = (
        ("/api/chat", {"messages": [{"role": "user", "content": "x", "images": [png]}]}),
        ("/api/generate", {"prompt": "x", "suffix": "y"}),
        ("/api/embed", {"input": "x"}),
    )
    for path, fields in requests:
        reply = post(gglib, path, model="tiny-a", **fields)
        assert reply.status_code == 400
        assert "tiny-a" in checked("error", reply.content)["error"]


def test_models_in_memory_and_keep_alive(gglib: Gglib) -> None:
    """Loaded, listed, and unloaded again; other requests keep it."""
    checked("generate_load", post(gglib, "/api/generate", model="tiny-a", keep_alive="1h").content)
    (model,) = checked("ps", get(gglib, "/api/ps"))["models"]
    assert (model["name"], model["context_length"]) == ("tiny-a", 4096)
    assert (
        checked("chat_load", post(gglib, "/api/chat", model="tiny-a", keep_alive=0).content)["done_reason"]
        == "unload"
    )
    gglib.wait_until(lambda: gglib.engines() == [])
    post(gglib, "/api/chat", model="Tiny-B", messages=HELLO, options=FEW, keep_alive=0)
    gglib.wait_until(lambda: gglib.engines() == [])
    assert json.loads(gglib.command("show", "Tiny-B", "--json"))["idle_ttl_s"] is None


def test_show_has_the_template_and_no_path(gglib: Gglib) -> None:
    """From the header of the file."""
    body = post(gglib, "/api/show", model="tiny-a").content
    shown = checked("show", body)
    assert "<|im_start|>" in shown["template"]
    assert shown["model_info"]["llama.context_length"] > 0
    assert shown["model_info"]["general.basename"] == "tiny-a"
    assert str(gglib.home) not in body.decode()
    assert {model["name"] for model in checked("tags", get(gglib, "/api/tags"))["models"]} >= {
        "tiny-a",
        "Tiny-B",
    }


def test_long_inputs_of_embeddings_are_shortened(gglib: Gglib) -> None:
    """Unless the request says otherwise; vectors have the wanted length."""
    path = gglib.home / "files" / "embedder.gguf"
    write_tiny_gguf(path, pooling_type=1)
    gglib.command("add", str(path), "--engine-args", "--threads 1", "--embedding")
    texts = ["short", "a" * 20_000]
    reply = post(gglib, "/api/embed", model="embedder", input=texts, dimensions=8)
    response = checked("embed", reply.content)
    assert [len(vector) for vector in response["embeddings"]] == [8, 8]
    assert 1000 < response["prompt_eval_count"] < 4200
    refused = post(gglib, "/api/embed", model="embedder", input=texts, truncate=False)
    assert refused.status_code == 400
    older = checked("embeddings", post(gglib, "/api/embeddings", model="embedder", prompt="x").content)
    assert len(older["embedding"]) > 8
