"""Quantization labels: parsing, comparison, preference."""

import pytest

from gglib.core.hub.quantizations import folded, label_of, without_label


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("Llama-3.2-1B-Instruct-Q4_K_M.gguf", "Q4_K_M"),
        ("Model.Q4_K_M.gguf", "Q4_K_M"),
        ("Model.i1-IQ4_XS.gguf", "IQ4_XS"),
        ("qwen2.5-7b-instruct-q4_k_m.gguf", "Q4_K_M"),
        ("Q4_K_M/model-Q4_K_M-00001-of-00003.gguf", "Q4_K_M"),
        ("Q4_K_M/model-00001-of-00003.gguf", "Q4_K_M"),
        ("F16/model-Q4_K_M.gguf", "Q4_K_M"),
        ("Qwen3-8B-UD-Q4_K_XL.gguf", "UD-Q4_K_XL"),
        ("qwen3-8b-ud-iq1_m.gguf", "UD-IQ1_M"),
        ("gpt-oss-20b-mxfp4.gguf", "MXFP4"),
        ("gpt-oss-20b-MXFP4_MOE.gguf", "MXFP4_MOE"),
        ("Phi-3-mini-4k-instruct-fp16.gguf", "F16"),
        ("Phi-3-mini-4k-instruct-q4.gguf", "Q4"),
        ("Model-bf16_q8_0.gguf", "Q8_0"),
        ("gpt-oss-120b-BF16-abliterated.i1-IQ4_XS.gguf", "IQ4_XS"),
        ("Qwen2.5-0.5B-Instruct-Q4_0_4_4.gguf", "Q4_0_4_4"),
        ("gemma-IQ4_NL.gguf", "IQ4_NL"),
        ("Model-Q6_K_L.gguf", "Q6_K_L"),
        ("Model-Q3_K_XL.gguf", "Q3_K_XL"),
        ("model-TQ1_0.gguf", "TQ1_0"),
        ("model-Q4-K-M.gguf", "Q4_K_M"),
        ("q8_0.gguf", "Q8_0"),
        ("SEQ4_0-model.gguf", None),
        ("Model-55IQ2_XXS-34Q2_K.gguf", None),
        ("Step-3.7-Flash-APEX-I-Compact.gguf", None),
        ("model.gguf", None),
    ],
)
def test_label_is_parsed_from_usual_names(name: str, label: str | None) -> None:
    """The last label of the last part that has one, in its usual spelling."""
    assert label_of(name) == label


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("q4-k-m", "Q4_K_M"),
        ("Q4.K.M", "q4_k_m"),
        ("FP16", "f16"),
        ("MXFP4", "mxfp4_moe"),
        ("UD_Q4_K_XL", "ud-q4-k-xl"),
    ],
)
def test_spellings_of_one_label_are_equal(left: str, right: str) -> None:
    """Case and separators do not count, and some have two names."""
    assert folded(left) == folded(right)


@pytest.mark.parametrize(
    ("name", "rest"),
    [
        ("Qwen/Qwen3-8B:Q4_K_M", "Qwen/Qwen3-8B"),
        ("model-f16-q4_k_m", "model-f16"),
        ("model.Q4_0.gguf", "model.gguf"),
        ("model", "model"),
        ("Q8_0", "Q8_0"),
    ],
)
def test_name_without_its_label(name: str, rest: str) -> None:
    """The last label is removed with the separators before it; a name is never empty."""
    assert without_label(name) == rest
