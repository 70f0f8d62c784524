"""Our reader against the reference writer and reader: what was written is what is read."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import pytest

from gglib.core.errors import InvalidGgufError
from gglib.gguf import read_gguf
from gglib.gguf.quantization import FILE_TYPES, TENSOR_TYPES

# The architectures of models that people run, two of them encoders, one without attention heads.
_ARCHITECTURES = (
    "llama", "qwen2", "qwen3moe", "gemma3", "phi3", "gpt-oss", "deepseek2", "mamba", "bert", "nomic-bert-moe",
    "nemotron_h", "hunyuan_vl",
)  # fmt: skip


def _describe(writer: Any) -> None:
    writer.add_name("Tiny Model")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q4_K_M)
    writer.add_context_length(4096)
    writer.add_block_count(3)
    writer.add_embedding_length(96)
    writer.add_head_count(6)
    writer.add_head_count_kv([2, 4, 0])
    writer.add_key_length(16)
    writer.add_value_length(24)
    writer.add_token_list(["a", "b", "c", "ä€𝄞", ""])
    writer.add_token_scores([0.0] * 5)
    writer.add_chat_template("{{ messages }}")


@pytest.mark.parametrize("architecture", _ARCHITECTURES)
def test_facts_are_what_was_written(architecture: str, write_model: Callable[..., Path]) -> None:
    """Every fact of a header comes back as the reference writer was given it, for each architecture."""
    facts = read_gguf(write_model(architecture, setup=_describe))

    assert facts.architecture == architecture
    assert (facts.name, facts.quantization, facts.trained_context) == ("Tiny Model", "Q4_K_M", 4096)
    assert (facts.block_count, facts.embedding_length) == (3, 96)
    assert (facts.head_count, facts.head_count_kv) == (6, 4)
    assert (facts.key_length, facts.value_length, facts.vocabulary_size) == (16, 24, 5)
    assert facts.chat_template == "{{ messages }}"
    assert facts.parameter_count == 8 * 4 + 4
    assert (facts.split_index, facts.split_count) == (None, None)
    assert facts.capabilities.embedding == (architecture in {"bert", "nomic-bert-moe"})


@pytest.mark.parametrize("architecture", _ARCHITECTURES[:8])
def test_weights_are_counted_as_the_reference_counts_them(
    architecture: str, write_model: Callable[..., Path]
) -> None:
    """The parameter count is the sum of the elements that the reference reader finds in each tensor."""
    shapes = {"a": (3, 5, 7), "b": (1,), "c": (2, 2, 2, 2)}
    path = write_model(architecture, tensors=shapes)

    expected = sum(int(tensor.n_elements) for tensor in gguf.GGUFReader(path).tensors)

    assert read_gguf(path).parameter_count == expected == 122


def test_type_tables_are_those_of_the_reference() -> None:
    """Names, block sizes and numbers of all tensor and file types agree with the reference tables."""
    # Q8_1 exists in memory only; since its sums became halves, ggml's block has 36 bytes, not the table's 40.
    for kind in set(gguf.GGMLQuantizationType) - {gguf.GGMLQuantizationType.Q8_1}:
        assert tuple(TENSOR_TYPES[kind]) == (kind.name, *gguf.GGML_QUANT_SIZES[kind])
    for file_type in gguf.LlamaFileType:
        if file_type.name != "GUESSED":
            expected = file_type.name.removeprefix("MOSTLY_").removeprefix("ALL_").removesuffix("_MOE")
            assert FILE_TYPES[file_type] == expected


def test_file_of_the_other_byte_order_is_refused(write_model: Callable[..., Path]) -> None:
    """A big-endian file is refused on a little-endian machine in words, as the engine could not load it."""
    path = write_model("llama", endianess=gguf.GGUFEndian.BIG)

    with pytest.raises(InvalidGgufError, match="not little-endian, as this machine's are"):
        read_gguf(path)


def test_version_two_is_read(write_model: Callable[..., Path]) -> None:
    """A file of version 2, whose layout is that of version 3, is read."""
    path = write_model("llama", setup=_describe)
    content = bytearray(path.read_bytes())
    content[4] = 2
    path.write_bytes(content)

    assert read_gguf(path).trained_context == 4096
