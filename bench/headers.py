"""GGUF headers of popular models as converters write them, with the expected facts; written with the package ``gguf``.

The keys, their types and their order are those of llama.cpp's conversion scripts; the numbers are those of the models'
``config.json``. Vocabularies have their real size if that is cheap, and always made-up words. Tensors are listed with
their shapes; the file ends where the last tensor would end, without data.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gguf

_CHAT = (
    "{%- if tools %}{{ tools | tojson }}{% endif %}{% for message in messages %}<|im_start|>{{ message.role }}\n"
    "{{ message.content }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RealHeader:
    """One model's header: the values that a converter writes, and the facts that the reader must return."""

    architecture: str
    blocks: int
    width: int
    vocabulary: int
    write: Callable[[Any], None]
    """Adds the keys of this architecture to those that all architectures have."""
    file_type: gguf.LlamaFileType = gguf.LlamaFileType.MOSTLY_Q4_K_M
    tensor_type: gguf.GGMLQuantizationType = gguf.GGMLQuantizationType.Q4_K
    has_output: bool = True
    merges: int = 0
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Expected fields of ``GgufFacts``."""
    layers: Mapping[str, Any] = field(default_factory=dict)
    """Expected fields of ``LayerFacts``."""

    def tensors(self, most_rows: int | None = None) -> dict[str, tuple[int, int]]:
        """Return names and shapes of some of the tensors, with at most ``most_rows`` rows."""
        words, rows = (min(rows, most_rows or rows) for rows in (self.vocabulary, 2 * self.width))
        found = {"token_embd.weight": (words, self.width)}
        if self.has_output:
            found["output.weight"] = (words, self.width)
        for block in range(self.blocks):
            found[f"blk.{block}.ffn_up.weight"] = (rows, self.width)
        return found


def write_header(path: Path, header: RealHeader, *, most_words: int | None = None) -> Path:
    """Write the file, sparse after its header; ``most_words`` limits the vocabulary, and the rows of all tensors."""
    words = min(header.vocabulary, most_words or header.vocabulary)
    tensors = header.tensors(most_words)
    writer = gguf.GGUFWriter(path, header.architecture)
    writer.add_type("model")
    writer.add_name(f"Real {header.architecture}")
    writer.add_size_label("1B")
    writer.add_license("apache-2.0")
    writer.add_tags(["text-generation", "conversational"])
    writer.add_languages(["en", "de"])
    writer.add_block_count(header.blocks)
    writer.add_embedding_length(header.width)
    header.write(writer)
    writer.add_file_type(header.file_type)
    _add_vocabulary(writer, words, min(header.merges, words))
    writer.add_quantization_version(2)
    for name, shape in tensors.items():
        size_bytes = _size_bytes(shape, header.tensor_type)
        writer.add_tensor_info(name, shape, _float32(), size_bytes, raw_dtype=header.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    writer.close()
    end_bytes = sum(-(-_size_bytes(shape, header.tensor_type) // 32) * 32 for shape in tensors.values())
    os.truncate(path, -(-path.stat().st_size // 32) * 32 + end_bytes)
    return path


def parameter_count(header: RealHeader) -> int:
    """Return the number of weights in the tensors."""
    return sum(rows * columns for rows, columns in header.tensors().values())


def _float32() -> Any:  # noqa: ANN401 - numpy's dtype
    import numpy as np  # noqa: PLC0415 - comes with gguf

    return np.dtype(np.float32)


def _size_bytes(shape: tuple[int, int], kind: gguf.GGMLQuantizationType) -> int:
    rows, columns = shape
    elements: int
    size_bytes: int
    elements, size_bytes = gguf.GGML_QUANT_SIZES[kind]
    return rows * columns // elements * size_bytes


def _add_vocabulary(writer: Any, words: int, merges: int) -> None:  # noqa: ANN401 - gguf has no types
    writer.add_tokenizer_model("gpt2" if merges else "llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([f"w{number}" for number in range(words)])
    if not merges:
        writer.add_token_scores([-float(number) for number in range(words)])
    writer.add_token_types([1] * words)
    if merges:
        writer.add_token_merges([f"w{number} {number}" for number in range(merges)])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_bos_token(value=True)
    writer.add_chat_template(_CHAT)


def _attention(  # noqa: PLR0913 - the numbers that nearly all models have
    writer: Any,  # noqa: ANN401 - gguf has no types
    *,
    context: int,
    feed_forward: int | list[int],
    heads: int,
    heads_kv: int | list[int] | None = None,
    key: int | None = None,
    value: int | None = None,
) -> None:
    writer.add_context_length(context)
    writer.add_feed_forward_length(feed_forward)
    writer.add_head_count(heads)
    if heads_kv is not None:
        writer.add_head_count_kv(heads_kv)
    writer.add_rope_freq_base(1e6)
    writer.add_layer_norm_rms_eps(1e-6)
    if key is not None:
        writer.add_key_length(key)
        writer.add_value_length(value or key)


def _llama(writer: Any) -> None:  # noqa: ANN401 - Llama 3.1 8B
    _attention(writer, context=131_072, feed_forward=14_336, heads=32, heads_kv=8)
    writer.add_rope_dimension_count(128)


def _qwen2(writer: Any) -> None:  # noqa: ANN401 - Qwen2.5 7B
    _attention(writer, context=32_768, feed_forward=18_944, heads=28, heads_kv=4)


def _qwen3(writer: Any) -> None:  # noqa: ANN401 - Qwen3 0.6B
    _attention(writer, context=40_960, feed_forward=3072, heads=16, heads_kv=8, key=128)


def _qwen3moe(writer: Any) -> None:  # noqa: ANN401 - Qwen3 30B A3B
    _attention(writer, context=40_960, feed_forward=6144, heads=32, heads_kv=4, key=128)
    writer.add_expert_count(128)
    writer.add_expert_used_count(8)
    writer.add_expert_feed_forward_length(768)


def _gemma3(writer: Any) -> None:  # noqa: ANN401 - Gemma 3 4B
    _attention(writer, context=131_072, feed_forward=10_240, heads=8, heads_kv=4, key=256)
    writer.add_sliding_window(1024)
    writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
    writer.add_rope_scaling_factor(8.0)


def _gemma4(writer: Any) -> None:  # noqa: ANN401 - the form of Gemma 4: lists, and heads of their own for windows
    heads_kv = [8 if layer % 6 != 5 else 2 for layer in range(30)]
    _attention(writer, context=131_072, feed_forward=9216, heads=8, heads_kv=heads_kv, key=512)
    writer.add_sliding_window(1024)
    writer.add_sliding_window_pattern([layer % 6 != 5 for layer in range(30)])
    writer.add_key_length_swa(256)
    writer.add_value_length_swa(256)
    writer.add_shared_kv_layers(10)


def _phi3(writer: Any) -> None:  # noqa: ANN401 - Phi 3.5 mini
    _attention(writer, context=131_072, feed_forward=8192, heads=32, heads_kv=32)
    writer.add_rope_dimension_count(96)
    writer.add_rope_scaling_orig_ctx_len(4096)
    writer.add_sliding_window(262_144)


def _deepseek2(writer: Any) -> None:  # noqa: ANN401 - DeepSeek V2 Lite
    _attention(writer, context=163_840, feed_forward=10_944, heads=16, heads_kv=1, key=576, value=512)
    writer.add_leading_dense_block_count(1)
    writer.add_vocab_size(102_400)
    writer.add_kv_lora_rank(512)
    writer.add_key_length_mla(192)
    writer.add_value_length_mla(128)
    writer.add_expert_count(64)
    writer.add_expert_used_count(6)
    writer.add_expert_feed_forward_length(1408)
    writer.add_expert_shared_count(2)
    writer.add_rope_dimension_count(64)


def _gpt_oss(writer: Any) -> None:  # noqa: ANN401 - gpt-oss 20B
    _attention(writer, context=131_072, feed_forward=2880, heads=64, heads_kv=8, key=64)
    writer.add_sliding_window(128)
    writer.add_expert_count(32)
    writer.add_expert_used_count(4)
    writer.add_expert_feed_forward_length(2880)


def _mamba(writer: Any) -> None:  # noqa: ANN401 - Mamba 130M
    writer.add_context_length(2**20)
    writer.add_feed_forward_length(0)
    writer.add_head_count(0)
    writer.add_ssm_conv_kernel(4)
    writer.add_ssm_inner_size(1536)
    writer.add_ssm_state_size(16)
    writer.add_ssm_time_step_rank(48)
    writer.add_ssm_dt_b_c_rms(value=False)
    writer.add_layer_norm_rms_eps(1e-5)


def _nomic(writer: Any) -> None:  # noqa: ANN401 - nomic-embed-text v1.5
    writer.add_context_length(2048)
    writer.add_feed_forward_length(3072)
    writer.add_head_count(12)
    writer.add_layer_norm_eps(1e-12)
    writer.add_causal_attention(value=False)
    writer.add_pooling_type(gguf.PoolingType.MEAN)
    writer.add_rope_freq_base(1000.0)
    writer.add_token_type_count(2)


def _mistral3(writer: Any) -> None:  # noqa: ANN401 - Ministral 3 3B
    _attention(writer, context=262_144, feed_forward=9216, heads=32, heads_kv=8, key=128)
    writer.add_rope_dimension_count(128)
    writer.add_rope_scaling_type(gguf.RopeScalingType.YARN)
    writer.add_rope_scaling_factor(16.0)


_LFM2_HEADS = [0, 0, 8, 0, 0, 8, 0, 0, 8, 0, 8, 0, 8, 0, 8, 0]


def _lfm2(writer: Any) -> None:  # noqa: ANN401 - LFM2 1.2B
    _attention(writer, context=128_000, feed_forward=8192, heads=32, heads_kv=_LFM2_HEADS)
    writer.add_vocab_size(65_536)
    writer.add_shortconv_l_cache(3)


def _qwen3next(writer: Any) -> None:  # noqa: ANN401 - Qwen3 Next 80B A3B
    _attention(writer, context=262_144, feed_forward=5120, heads=16, heads_kv=2, key=256)
    writer.add_expert_count(512)
    writer.add_expert_used_count(10)
    writer.add_expert_feed_forward_length(512)
    writer.add_ssm_conv_kernel(4)
    writer.add_ssm_state_size(128)
    writer.add_ssm_group_count(16)
    writer.add_ssm_time_step_rank(32)
    writer.add_ssm_inner_size(4096)
    writer.add_full_attention_interval(4)


_NEMOTRON_HEADS = [0, 0, 0, 0, 8, 0, 0, 0]
_NEMOTRON_FEED_FORWARD = [0, 15_680, 0, 15_680, 0, 0, 15_680, 0]


def _nemotron_h(writer: Any) -> None:  # noqa: ANN401 - the form of Nemotron Nano 9B v2: a list for every kind of layer
    _attention(
        writer,
        context=131_072,
        feed_forward=_NEMOTRON_FEED_FORWARD,
        heads=40,
        heads_kv=_NEMOTRON_HEADS,
        key=128,
    )
    writer.add_ssm_conv_kernel(4)
    writer.add_ssm_state_size(128)
    writer.add_ssm_group_count(8)
    writer.add_ssm_inner_size(10_240)
    writer.add_ssm_time_step_rank(128)


def _rwkv7(writer: Any) -> None:  # noqa: ANN401 - RWKV 7 0.4B
    writer.add_context_length(2**20)
    writer.add_feed_forward_length(4096)
    writer.add_head_count(0)
    writer.add_wkv_head_size(64)
    writer.add_decay_lora_rank(64)
    writer.add_token_shift_count(2)
    writer.add_layer_norm_eps(1e-5)


REAL_HEADERS = (
    RealHeader(
        architecture="llama", blocks=32, width=4096, vocabulary=128_256, merges=128_000, write=_llama,
        facts={"trained_context": 131_072, "head_count": 32, "head_count_kv": 8, "key_length": None},
        layers={"feed_forward_length": 14_336, "window": None, "head_counts_kv": ()},
    ),
    RealHeader(
        architecture="qwen2", blocks=28, width=3584, vocabulary=32_000, merges=32_000, write=_qwen2,
        file_type=gguf.LlamaFileType.MOSTLY_Q8_0, tensor_type=gguf.GGMLQuantizationType.Q8_0,
        facts={"trained_context": 32_768, "head_count": 28, "head_count_kv": 4},
        layers={"feed_forward_length": 18_944},
    ),
    RealHeader(
        architecture="qwen3", blocks=28, width=1024, vocabulary=16_000, merges=16_000, write=_qwen3, has_output=False,
        facts={"head_count_kv": 8, "key_length": 128, "value_length": 128},
    ),
    RealHeader(
        architecture="qwen3moe", blocks=48, width=2048, vocabulary=16_000, merges=16_000, write=_qwen3moe,
        facts={"head_count": 32, "head_count_kv": 4},
        layers={"experts_used": 8, "expert_feed_forward_length": 768, "feed_forward_length": 6144},
    ),
    RealHeader(
        architecture="gemma3", blocks=34, width=2560, vocabulary=262_144, write=_gemma3, has_output=False,
        facts={"key_length": 256, "head_count_kv": 4},
        layers={"window": 1024, "window_period": None, "window_layers": ()},
    ),
    RealHeader(
        architecture="gemma4", blocks=30, width=2304, vocabulary=16_000, write=_gemma4, has_output=False,
        facts={"key_length": 512, "head_count_kv": 8},
        layers={
            "window": 1024, "window_layers": tuple(layer % 6 != 5 for layer in range(30)), "window_period": None,
            "window_key_length": 256, "window_value_length": 256, "shared_cache_layers": 10,
            "head_counts_kv": tuple(8 if layer % 6 != 5 else 2 for layer in range(30)),
        },
    ),
    RealHeader(
        architecture="phi3", blocks=32, width=3072, vocabulary=32_064, write=_phi3,
        facts={"head_count": 32, "head_count_kv": 32},
        layers={"window": 262_144},
    ),
    RealHeader(
        architecture="deepseek2", blocks=27, width=2048, vocabulary=16_000, merges=16_000, write=_deepseek2,
        facts={"head_count_kv": 1, "key_length": 576, "value_length": 512},
        layers={"latent_key_length": 192, "experts_used": 6, "expert_feed_forward_length": 1408},
    ),
    RealHeader(
        architecture="gpt-oss", blocks=24, width=2880, vocabulary=16_000, merges=16_000, write=_gpt_oss,
        file_type=gguf.LlamaFileType.MOSTLY_MXFP4_MOE, tensor_type=gguf.GGMLQuantizationType.MXFP4,
        facts={"head_count": 64, "head_count_kv": 8, "key_length": 64},
        layers={"window": 128, "experts_used": 4},
    ),
    RealHeader(
        architecture="mamba", blocks=24, width=768, vocabulary=50_280, merges=50_000, write=_mamba, has_output=False,
        file_type=gguf.LlamaFileType.MOSTLY_F16, tensor_type=gguf.GGMLQuantizationType.F16,
        facts={"head_count": None, "head_count_kv": None, "trained_context": 2**20},
        layers={"state_size": 16, "state_inner_size": 1536, "state_convolution": 4, "feed_forward_length": None},
    ),
    RealHeader(
        architecture="nomic-bert", blocks=12, width=768, vocabulary=30_522, write=_nomic, has_output=False,
        file_type=gguf.LlamaFileType.ALL_F32, tensor_type=gguf.GGMLQuantizationType.F32,
        facts={"head_count": 12, "head_count_kv": None, "trained_context": 2048},
    ),
    RealHeader(
        architecture="mistral3", blocks=26, width=3072, vocabulary=131_072, merges=16_000, write=_mistral3,
        facts={"key_length": 128, "head_count_kv": 8, "trained_context": 262_144},
        layers={"feed_forward_length": 9216},
    ),
    RealHeader(
        architecture="lfm2", blocks=16, width=2048, vocabulary=16_000, merges=16_000, write=_lfm2, has_output=False,
        facts={"head_count": 32, "head_count_kv": 8},
        layers={"head_counts_kv": tuple(_LFM2_HEADS), "short_convolution": 3},
    ),
    RealHeader(
        architecture="qwen3next", blocks=48, width=2048, vocabulary=16_000, merges=16_000, write=_qwen3next,
        facts={"head_count_kv": 2, "key_length": 256},
        layers={
            "full_attention_interval": 4, "state_size": 128, "state_inner_size": 4096, "state_group_count": 16,
            "state_convolution": 4,
        },
    ),
    RealHeader(
        architecture="nemotron_h", blocks=8, width=4480, vocabulary=16_000, merges=16_000, write=_nemotron_h,
        tensor_type=gguf.GGMLQuantizationType.Q4_0, file_type=gguf.LlamaFileType.MOSTLY_Q4_0,
        facts={"head_count": 40, "head_count_kv": 8},
        layers={
            "head_counts_kv": tuple(_NEMOTRON_HEADS), "feed_forward_lengths": tuple(_NEMOTRON_FEED_FORWARD),
            "feed_forward_length": 15_680,
        },
    ),
    RealHeader(
        architecture="rwkv7", blocks=24, width=1024, vocabulary=16_000, write=_rwkv7,
        facts={"head_count": None},
        layers={"wkv_head_length": 64, "token_shifts": 2},
    ),
)  # fmt: skip
