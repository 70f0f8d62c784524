"""Classification of the files of a repository by name."""

import pytest

from gglib.core.gguf_names import FileKind, Shard, kind_of, shard_of, stem_of


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Llama-3.2-1B-Instruct-Q4_K_M.gguf", FileKind.MODEL),
        ("MODEL.GGUF", FileKind.MODEL),
        ("Q4_K_M/model-Q4_K_M-00002-of-00003.gguf", FileKind.SHARD),
        ("Ornith-1.5-9B-MTP-IQ2_M.gguf", FileKind.MODEL),
        ("lora_model.Q4_K_M.gguf", FileKind.MODEL),
        ("Llama-3-Lorax-8B-f16.gguf", FileKind.MODEL),
        ("Model-IQ4_XS-imatrix.gguf", FileKind.MODEL),
        ("vocabulary-trainer-Q8_0.gguf", FileKind.MODEL),
        ("mmproj-model-f16.gguf", FileKind.PROJECTOR),
        ("mmproj-F16.gguf", FileKind.PROJECTOR),
        ("model.mmproj-Q8_0.gguf", FileKind.PROJECTOR),
        ("12b/gemma-MMPROJ-bf16.gguf", FileKind.PROJECTOR),
        ("mtp-gemma-4-12B-it.gguf", FileKind.DRAFT),
        ("MTP-Qwen3-27B-v1.0-Q4_K_M.gguf", FileKind.DRAFT),
        ("eagle3-model-Q8_0.gguf", FileKind.DRAFT),
        ("Model.imatrix.gguf", FileKind.IMATRIX),
        ("imatrix_unsloth.gguf", FileKind.IMATRIX),
        ("Model-BF16-imatrix.gguf", FileKind.IMATRIX),
        ("my-lora-f16.gguf", FileKind.ADAPTER),
        ("Mixtral-8x7B-v0.1-Q4_K_M-LoRA.gguf", FileKind.ADAPTER),
        ("ggml-adapter-model-f16.gguf", FileKind.ADAPTER),
        ("ggml-vocab-llama-bpe.gguf", FileKind.VOCABULARY),
        ("Model-v1.0-vocab.gguf", FileKind.VOCABULARY),
        ("Model.i1-Q6_K.gguf.part1of2", FileKind.PIECE),
        ("llama-2-70b-chat.Q6_K.gguf-split-a", FileKind.PIECE),
        ("model.gguf.a", FileKind.PIECE),
        ("model-chunk-001-of-018.gguf", FileKind.PIECE),
        ("imatrix_unsloth.gguf_file", FileKind.OTHER),
        ("README.md", FileKind.OTHER),
        ("gguf", FileKind.OTHER),
        ("", FileKind.OTHER),
    ],
)
def test_file_is_classified_by_its_name(name: str, kind: FileKind) -> None:
    """Models and companion files are distinguished as in llama.cpp and the naming rule of ggml."""
    assert kind_of(name) is kind


def test_shard_number_is_parsed() -> None:
    """Five digits each, as llama.cpp prints them; any other form is no shard."""
    assert shard_of("d/m-Q8_0-00002-of-00003.gguf") == Shard("d/m-Q8_0", 2, 3)
    assert shard_of("d/m-Q8_0-2-of-3.gguf") is None
    assert stem_of("d/m-Q8_0-00002-of-00003.gguf") == "d/m-Q8_0"
    assert stem_of("d/m.GGUF") == "d/m"
    assert stem_of("d/m.bin") == "d/m.bin"
