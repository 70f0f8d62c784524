"""LM Studio's lists of models."""

import json

import pytest

from gglib.core.models import ModelCapabilities, ModelSource, ModelSummary
from gglib.core.ports import ResidentStatus, RuntimeStatus
from gglib.proxy.dialects.lm_studio import list_v0, list_v1

CHAT = ModelSummary(
    id=1,
    name="coder",
    architecture="qwen3",
    quantization="Q4_K_M",
    size_bytes=10,
    parameter_count=1_540_000_000,
    trained_context=32_768,
    description="writes code",
    capabilities=ModelCapabilities(chat=True, tools=True),
    source=ModelSource(origin="hub", repo="Org/coder"),
)
VISION = ModelSummary(id=2, name="eye", capabilities=ModelCapabilities(chat=True, vision=True))
EMBED = ModelSummary(id=3, name="embed", capabilities=ModelCapabilities(embedding=True))
RANK = ModelSummary(id=4, name="rank", capabilities=ModelCapabilities(rerank=True))
BASE = ModelSummary(id=5, name="base")
MODELS = (CHAT, VISION, EMBED, RANK, BASE)


def status(state: str) -> RuntimeStatus:
    """Return a status with the chat model in memory."""
    resident = ResidentStatus(model_id=1, model_name="coder", state=state, effective_ctx=8192)
    return RuntimeStatus(residents=(resident,))


def test_v0_has_type_state_and_contexts() -> None:
    """A reranker has no type of LM Studio, so it is not listed."""
    content = json.loads(list_v0(MODELS, status("ready")))
    assert content["object"] == "list"
    assert [(model["id"], model["type"], model["state"]) for model in content["data"]] == [
        ("coder", "llm", "loaded"),
        ("eye", "vlm", "not-loaded"),
        ("embed", "embeddings", "not-loaded"),
        ("base", "llm", "not-loaded"),
    ]
    assert content["data"][0] == {
        "id": "coder",
        "object": "model",
        "type": "llm",
        "publisher": "Org",
        "arch": "qwen3",
        "compatibility_type": "gguf",
        "quantization": "Q4_K_M",
        "state": "loaded",
        "max_context_length": 32_768,
        "capabilities": ["tool_use"],
        "loaded_context_length": 8192,
    }
    assert "loaded_context_length" not in content["data"][1]
    assert content["data"][1]["publisher"] == "local"


def test_v1_has_instances_and_capabilities() -> None:
    """The instance of a model has the model's name."""
    coder, eye, embed, base = json.loads(list_v1(MODELS, status("draining")))["models"]
    assert coder == {
        "type": "llm",
        "publisher": "Org",
        "key": "coder",
        "display_name": "coder",
        "architecture": "qwen3",
        "quantization": {"name": "Q4_K_M", "bits_per_weight": None},
        "size_bytes": 10,
        "params_string": "1.5B",
        "loaded_instances": [{"id": "coder", "config": {"context_length": 8192}}],
        "max_context_length": 32_768,
        "format": "gguf",
        "description": "writes code",
        "capabilities": {"vision": False, "trained_for_tool_use": True},
    }
    assert (eye["capabilities"]["vision"], eye["loaded_instances"]) == (True, [])
    assert (embed["type"], "capabilities" in embed) == ("embedding", False)
    assert base["params_string"] is None


@pytest.mark.parametrize("state", ["loading", "stopping"])
def test_a_model_that_is_not_ready_is_not_loaded(state: str) -> None:
    """Only a model that serves requests counts."""
    assert json.loads(list_v0([CHAT], status(state)))["data"][0]["state"] == "not-loaded"


@pytest.mark.parametrize(
    ("count", "shown"), [(7_000_000_000, "7B"), (134_515_008, "134.5M"), (1_000_000_000, "1B"), (20, "0M")]
)
def test_parameters_have_a_unit(count: int, shown: str) -> None:
    """One decimal at most."""
    model = ModelSummary(id=1, name="m", parameter_count=count)
    assert json.loads(list_v1([model], RuntimeStatus()))["models"][0]["params_string"] == shown
