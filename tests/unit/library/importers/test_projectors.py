"""Which projector goes with which model, by their names."""

import pytest

from gglib.library.importers.projectors import projector_for

GEMMA = ["gemma-3-4b-it-Q4_K_M.gguf", "gemma-3-4b-it-Q8_0.gguf"]


@pytest.mark.parametrize(
    ("models", "projectors", "chosen"),
    [
        (GEMMA, ["mmproj-F16.gguf"], "mmproj-F16.gguf"),
        (GEMMA, ["mmproj-model-f16.gguf"], "mmproj-model-f16.gguf"),
        (GEMMA, ["mmproj-BF16.gguf", "mmproj-F32.gguf", "mmproj-F16.gguf"], "mmproj-F16.gguf"),
        (GEMMA, ["mmproj-gemma-3-4b-it-f16.gguf"], "mmproj-gemma-3-4b-it-f16.gguf"),
        (GEMMA, ["gemma-3-4b-it.mmproj-Q8_0.gguf"], "gemma-3-4b-it.mmproj-Q8_0.gguf"),
        (GEMMA, ["mmproj-qwen2-vl-7b-f16.gguf"], None),
        ([*GEMMA, "llama-8b-Q4_0.gguf"], ["mmproj-F16.gguf"], None),  # whose is it?
        ([*GEMMA, "llama-8b-Q4_0.gguf"], ["mmproj-gemma-3-4b-it-f16.gguf"], "mmproj-gemma-3-4b-it-f16.gguf"),
        ([*GEMMA, "llama-8b-Q4_0.gguf"], ["mmproj-gemma-3-4b-f16.gguf"], "mmproj-gemma-3-4b-f16.gguf"),
        ([*GEMMA, "llama-8b-Q4_0.gguf"], ["mmproj-gemma-3-4b-it-v2.gguf"], "mmproj-gemma-3-4b-it-v2.gguf"),
        (["vl-Q8_0-00001-of-00002.gguf"], ["mmproj-F16.gguf"], "mmproj-F16.gguf"),
        (GEMMA, [], None),
    ],
)
def test_a_projector_is_its_models_where_that_is_plain(
    models: list[str], projectors: list[str], chosen: str | None
) -> None:
    """A projector goes with the model of its name, or with the only model that lies beside it; else with none."""
    assert projector_for(models[0], models, projectors) == chosen


def test_another_model_beside_it_gets_none() -> None:
    """The projector of one model is not given to another."""
    models = [*GEMMA, "llama-8b-Q4_0.gguf"]
    assert projector_for(models[2], models, ["mmproj-gemma-3-4b-it-f16.gguf"]) is None
