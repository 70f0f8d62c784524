"""The models of ``/api/tags``, ``/api/show`` and ``/api/ps``."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.support.ollama import checked

from gglib.core.models import GgufFacts, ModelCapabilities, ModelSettings, ModelSource, ModelSummary
from gglib.core.profiles import Profile
from gglib.core.runtime.status import ResidentStatus
from gglib.proxy.dialects.ollama.models import (
    digest_of,
    listed_model,
    parameter_size,
    running_models,
    shown_model,
)

SHA = "ab" * 32
MODEL = ModelSummary(
    id=1,
    name="coder",
    aliases=("c",),
    architecture="qwen2",
    quantization="Q4_K_M",
    parameter_count=7_615_616_512,
    size_bytes=4_683_073_952,
    trained_context=32_768,
    capabilities=ModelCapabilities(chat=True, tools=True, vision=True, reasoning=True),
    hashes=(SHA,),
    added_at=1_795_946_400,
    paths=(Path("/secret/place/coder.gguf"),),
    source=ModelSource(origin="hub", repo="owner/coder-GGUF", file="coder-Q4_K_M.gguf"),
    is_downloaded=True,
)
FACTS = GgufFacts(
    architecture="qwen2",
    name="Coder 7B",
    block_count=28,
    embedding_length=3584,
    head_count=28,
    head_count_kv=4,
    vocabulary_size=152_064,
    chat_template="{{ messages }}",
)


def as_json(content: object) -> bytes:
    """Return a value as the server encodes it."""
    return json.dumps(content).encode()


def shown(model: ModelSummary = MODEL, facts: GgufFacts | None = FACTS, **more: Any) -> dict[str, Any]:
    """Return the checked response of ``/api/show``."""
    response: dict[str, Any] = checked("show", as_json(shown_model(model, facts, default_ctx=8192, **more)))
    return response


def test_a_listed_model() -> None:
    """Real digest, size, date and details."""
    listed = listed_model(MODEL)
    checked("tags", as_json({"models": [listed]}))
    assert listed == {
        "name": "coder",
        "model": "coder",
        "modified_at": "2026-11-29T10:00:00.000Z",
        "size": 4_683_073_952,
        "digest": SHA,
        "details": {
            "parent_model": "",
            "format": "gguf",
            "family": "qwen2",
            "families": ["qwen2"],
            "parameter_size": "7.6B",
            "quantization_level": "Q4_K_M",
        },
    }


def test_a_model_of_an_embedding_program() -> None:
    """Only id and name are known."""
    listed = listed_model(ModelSummary(id=1, name="x"), name="x:fast", parent="x")
    checked("tags", as_json({"models": [listed]}))
    assert (listed["name"], listed["size"], listed["details"]["parent_model"]) == ("x:fast", 0, "x")
    assert shown(ModelSummary(id=1, name="x"), None)["model_info"]["general.architecture"] == "unknown"


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (None, ""),
        (7, "7"),
        (127_552, "127.55K"),
        (134_515_008, "134.52M"),
        (8_030_261_248, "8.0B"),
        (10**12, "1.0T"),
    ],
)
def test_parameter_sizes(count: int | None, text: str) -> None:
    """As Ollama writes them."""
    assert parameter_size(count) == text


def test_digests() -> None:
    """The hash of the only file; of several files one of their hashes; else one of the entry."""
    two = ModelSummary(id=1, name="a", hashes=(SHA, "cd" * 32))
    unknown = ModelSummary(id=1, name="a", hashes=(None,), size_bytes=1)
    digests = {digest_of(MODEL), digest_of(two), digest_of(unknown), digest_of(ModelSummary(id=2, name="b"))}
    assert len(digests) == 4
    assert all(len(digest) == 64 for digest in digests)


def test_show() -> None:
    """Values of the header under their keys; the context is a parameter."""
    response = shown()
    assert response["model_info"] == {
        "general.architecture": "qwen2",
        "general.basename": "coder",
        "general.name": "Coder 7B",
        "general.parameter_count": 7_615_616_512,
        "qwen2.context_length": 32_768,
        "qwen2.block_count": 28,
        "qwen2.embedding_length": 3584,
        "qwen2.attention.head_count": 28,
        "qwen2.attention.head_count_kv": 4,
        "qwen2.vocab_size": 152_064,
    }
    assert response["capabilities"] == ["completion", "tools", "vision", "thinking"]
    assert response["template"] == "{{ messages }}"
    assert response["parameters"].split() == ["num_ctx", "8192"]
    assert "system" not in response


def test_the_modelfile_has_no_path_of_the_machine() -> None:
    """It names the repository, or the model."""
    assert "/secret" not in json.dumps(shown())
    lines = shown()["modelfile"].splitlines()
    assert lines[1].startswith("FROM hf.co/owner/coder-GGUF")
    assert lines[2:] == ['TEMPLATE """{{ messages }}"""', "PARAMETER num_ctx 8192"]
    local = ModelSummary(id=1, name="mine", paths=MODEL.paths)
    assert shown(local, None)["modelfile"].splitlines()[1] == "FROM mine"
    linked = ModelSummary(
        id=1,
        name="mine",
        is_downloaded=True,
        source=ModelSource(origin="url", url="https://host/x.gguf?signature=1", file="x.gguf"),
    )
    assert shown(linked, None)["modelfile"].splitlines()[1] == "FROM mine"


def test_show_a_profile() -> None:
    """Its defaults are parameters, and its model is the parent."""
    profile = Profile(
        name="mario", model_id=1, system="Be Mario.", defaults={"temperature": 0.1, "stop": ["x"]}
    )
    response = shown(profile=profile)
    assert response["details"]["parent_model"] == "coder"
    assert response["system"] == "Be Mario."
    assert [line.split() for line in response["parameters"].splitlines()] == [
        ["num_ctx", "8192"],
        ["temperature", "0.1"],
        ["stop", '"x"'],
    ]
    assert (
        'SYSTEM """Be Mario."""\nPARAMETER num_ctx 8192\nPARAMETER temperature 0.1' in response["modelfile"]
    )
    assert "FROM coder\n" in response["modelfile"]


def test_the_context_is_the_models_own_setting() -> None:
    """At most as trained."""
    model = ModelSummary(id=1, name="x", trained_context=2048, settings=ModelSettings(context=4096))
    assert shown(model, None)["parameters"].split() == ["num_ctx", "2048"]


@pytest.mark.parametrize(
    ("capabilities", "names"),
    [
        (ModelCapabilities(), ["completion"]),
        (ModelCapabilities(embedding=True), ["embedding"]),
        (ModelCapabilities(rerank=True), []),
    ],
)
def test_capabilities(capabilities: ModelCapabilities, names: list[str]) -> None:
    """A base model completes texts; a reranker does nothing that Ollama has."""
    assert shown(ModelSummary(id=1, name="x", capabilities=capabilities), None)["capabilities"] == names


def resident(**fields: Any) -> ResidentStatus:
    """Return a model in memory."""
    return ResidentStatus(
        **{"model_id": 1, "model_name": "coder", "state": "ready", "effective_ctx": 4096, **fields}
    )


def running(*residents: ResidentStatus) -> list[dict[str, Any]]:
    """Return the checked list of ``/api/ps`` at 10:00:00."""
    content = {"models": running_models([MODEL], residents, 1_795_946_400)}
    models: list[dict[str, Any]] = checked("ps", as_json(content))["models"]
    return models


def test_running_models() -> None:
    """Size by device, context, and the end of the time-to-live."""
    (model,) = running(resident(size={"ram": 10, "gpu0": 30, "gpu1": 2}, idle_ttl_s=300, idle_s=60))
    assert (model["size"], model["size_vram"], model["context_length"]) == (42, 32, 4096)
    assert model["expires_at"] == "2026-11-29T10:04:00.000Z"
    assert model["digest"] == SHA


@pytest.mark.parametrize(
    ("fields", "expires_at"),
    [
        ({"idle_ttl_s": 60}, "2026-11-29T10:01:00.000Z"),
        ({"idle_ttl_s": 60, "idle_s": 90}, "2026-11-29T10:00:00.000Z"),
        ({}, "2126-11-05T10:00:00.000Z"),
        ({"idle_ttl_s": 60, "is_pinned": True}, "2126-11-05T10:00:00.000Z"),
    ],
)
def test_expiry(fields: dict[str, Any], expires_at: str) -> None:
    """A model in use has all its time left; one that stays has a hundred years."""
    (model,) = running(resident(**fields))
    assert model["expires_at"] == expires_at
    assert (model["size"], model["size_vram"]) == (MODEL.size_bytes, 0)


def test_other_residents_are_not_listed() -> None:
    """Not those that load or stop, and none that the key may not use."""
    assert running(resident(state="loading"), resident(state="stopping"), resident(model_id=2)) == []
    assert len(running(resident(state="draining"))) == 1
    assert running_models([ModelSummary(id=1, name="x")], [resident()], 0)[0]["size"] == 0
