"""llama.cpp's own routes on the real engine."""

import json
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from tests.support.engines import EMBEDDED
from tests.support.waiting import wait_until

from gglib.testing import write_tiny_encoder

if TYPE_CHECKING:
    from tests.e2e.conftest import Gglib
else:
    Gglib = object

pytestmark = pytest.mark.e2e

DOCUMENTS = ["a small animal", "a planet of the sun"]


@pytest.fixture(scope="module")
def server(gglib: Gglib) -> Gglib:
    """Add a reranker to the shared server, whose chat models are there as well."""
    path = write_tiny_encoder(gglib.home / "files" / "rank.gguf", pooling_type=4, has_classifier=True)
    gglib.command("add", str(path), "--engine-args", "--threads 1")
    return gglib


def request(server: Gglib, method: str, path: str, body: object = None) -> httpx2.Response:
    """Send a request, and return the response with any status."""
    content = None if body is None else json.dumps(body).encode()
    return httpx2.request(method, f"{server.url}{path}", content=content, timeout=60, trust_env=False)


def get(server: Gglib, path: str) -> Any:
    """Return the JSON of a successful GET."""
    response = request(server, "GET", path)
    assert response.status_code == 200, response.text
    return response.json()


def post(server: Gglib, path: str, **body: object) -> Any:
    """Return the JSON of a successful POST."""
    response = request(server, "POST", path, body)
    assert response.status_code == 200, response.text
    return response.json()


def state(server: Gglib, name: str) -> str:
    """Return the state of a model in the list of models."""
    (model,) = (model for model in get(server, "/models")["data"] if model["id"] == name)
    value: str = model["status"]["value"]
    return value


def test_the_engine_is_the_selected_one(server: Gglib) -> None:
    """The option ``--engine`` of these tests reaches the server."""
    assert (get(server, "/gglib/system")["engine"]["path"] or EMBEDDED) == server.engine


def test_texts_and_tokens(server: Gglib) -> None:
    """Each route gives what llama.cpp's server gives."""
    tokens = post(server, "/tokenize", model="tiny-a", content="hello")["tokens"]
    assert post(server, "/detokenize", model="tiny-a", tokens=tokens)["content"].strip() == "hello"
    messages = [{"role": "user", "content": "hi"}]
    assert "hi<|im_end|>" in post(server, "/apply-template", model="tiny-a", messages=messages)["prompt"]
    assert post(server, "/completion", model="tiny-a", prompt="a", n_predict=3)["tokens_predicted"] == 3
    for path in ("/v1/chat/completions/input_tokens", "/chat/completions/input_tokens"):
        assert post(server, path, model="tiny-a", messages=messages)["input_tokens"] > 5
    assert post(server, "/v1/responses/input_tokens", model="tiny-a", input="hi")["input_tokens"] > 5
    infill = request(server, "POST", "/infill", {"model": "tiny-a", "input_prefix": "a", "input_suffix": "b"})
    assert (infill.status_code, infill.json()["error"]["code"]) == (400, "unsupported_by_model")


def test_reads_do_not_swap(server: Gglib) -> None:
    """Polling reads the model in memory; naming another one loads it only for its properties."""
    post(server, "/completion", model="tiny-a", prompt="a", n_predict=1)
    assert get(server, "/props")["model_alias"] == "tiny-a"
    assert len(get(server, "/slots")) >= 1
    assert get(server, "/lora-adapters") == []
    assert "llamacpp:" in request(server, "GET", "/metrics?model=tiny-a").text
    assert "gglib_" in request(server, "GET", "/metrics").text
    for path in ("/slots?model=Tiny-B", "/props?model=Tiny-B&autoload=false"):
        refused = request(server, "GET", path)
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "model_not_loaded")
    assert state(server, "tiny-a") == "loaded"
    assert get(server, "/props?model=Tiny-B")["model_alias"] == "Tiny-B"


def test_changes_are_those_that_the_engine_permits(server: Gglib) -> None:
    """Slots are saved by gglib itself; no spelling of the route lets a client do it."""
    post(server, "/completion", model="tiny-a", prompt="a", n_predict=1)
    assert post(server, "/v1/streams/lookup", conversation_ids=["none"]) == []
    for path in ("/slots/0", "/slots/0/", "//slots/0", "/v1/slots/0", "/slots/%30", "/slots/0;x"):
        for action in ("save", "restore", "erase"):
            refused = request(server, "POST", f"{path}?action={action}", {"filename": "x.bin"})
            assert refused.status_code in {400, 404}, (path, action, refused.text)
    saved = request(server, "POST", "/slots/0?action=save", {"filename": "x.bin"})
    assert (saved.status_code, saved.json()["error"]["code"]) == (400, "unsupported_by_model")
    assert not list(server.home.rglob("x.bin"))
    assert request(server, "POST", "/slots/0?action=save", {"filename": "../x"}).status_code == 400
    stopped = 204 if server.engine == EMBEDDED else 404  # b10068 has the id in the path instead of the query
    assert request(server, "DELETE", "/v1/stream?conv_id=none").status_code == stopped
    assert request(server, "GET", "/v1/stream?conv_id=none").status_code == 404


def test_buttons_of_the_router(server: Gglib) -> None:
    """A model is loaded and unloaded, and the events say so."""
    post(server, "/completion", model="tiny-a", prompt="a", n_predict=1)  # in the place of any other model
    with httpx2.stream("GET", f"{server.url}/models/sse", timeout=60, trust_env=False) as events:
        assert post(server, "/models/load", model="Tiny-B") == {"success": True}
        wait_until(lambda: state(server, "Tiny-B") == "loaded")
        assert request(server, "POST", "/models/load", {"model": "Tiny-B"}).status_code == 400
        assert post(server, "/models/unload", model="Tiny-B") == {"success": True}
        wait_until(lambda: state(server, "Tiny-B") == "unloaded")
        seen = []
        for line in events.iter_lines():
            if line.startswith("data: ") and (event := json.loads(line[6:]))["model"] == "Tiny-B":
                seen.append(event["data"]["status"])
                if seen[-1] == "unloaded":
                    break
    assert seen == ["loading", "loaded", "unloaded"]


def test_every_form_of_a_rerank_request(server: Gglib) -> None:
    """The scores are the same in each; a chat model is refused before it is loaded."""
    body = {"model": "rank", "query": "what is a cat"}
    plain = post(server, "/v1/rerank", **body, documents=DOCUMENTS)["results"]
    scores = {result["index"]: pytest.approx(result["relevance_score"], rel=1e-4) for result in plain}
    objects = [{"text": text} for text in DOCUMENTS]
    named = post(server, "/v2/rerank", **body, documents=objects, return_documents=True)["results"]
    assert {result["index"]: result["relevance_score"] for result in named} == scores
    assert {result["index"]: result["document"]["text"] for result in named} == dict(enumerate(DOCUMENTS))
    texts = post(server, "/rerank", **body, texts=DOCUMENTS, return_text=True)
    assert {result["index"]: result["score"] for result in texts} == scores
    assert len(post(server, "/v1/rerank", **body, documents=objects, top_n=1)["results"]) == 1
    refused = request(server, "POST", "/v1/rerank", {**body, "model": "tiny-a", "documents": DOCUMENTS})
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "unsupported_by_model")
    assert state(server, "tiny-a") == "unloaded"
