"""Writes models of real shapes with random weights, to measure their memory; their output is meaningless."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from numpy.typing import NDArray

_SPECIALS = ("<unk>", "<s>", "</s>")
_SEED = 5
_TRAINED_CONTEXT = 131_072


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A model's dimensions; weights are ``quantization``, norms F32."""

    architecture: str
    blocks: int
    width: int
    heads: int
    heads_kv: int
    head_length: int
    feed_forward: int
    vocabulary: int
    quantization: str
    window: int | None = None
    is_tied: bool = False
    experts: int = 0
    experts_used: int = 0

    @property
    def is_gemma(self) -> bool:
        """Whether it has norms after its attention and feed-forward, and norms of queries and keys."""
        return self.architecture == "gemma3"


SHAPES = {
    # The shape of TinyLlama-sized models with grouped heads; the engine repacks Q4_0 on most machines.
    "llama-q4_0": Shape(
        architecture="llama", blocks=22, width=1024, heads=16, heads_kv=4, head_length=64, feed_forward=2816,
        vocabulary=32_000, quantization="Q4_0",
    ),
    # The shape of gemma-3-270m: a window of 512, one layer in six without a window, and a very large vocabulary.
    "gemma3-q8_0": Shape(
        architecture="gemma3", blocks=18, width=640, heads=4, heads_kv=1, head_length=256, feed_forward=2048,
        vocabulary=262_144, quantization="Q8_0", window=512, is_tied=True,
    ),
    # The shape of qwen3-0.6b: heads wider than the model, the usual mixture of quantizations, and a large vocabulary.
    "qwen3-q4_k": Shape(
        architecture="qwen3", blocks=12, width=1024, heads=16, heads_kv=8, head_length=128, feed_forward=3072,
        vocabulary=151_936, quantization="Q4_K", is_tied=True,
    ),
    "qwen3moe-q8_0": Shape(
        architecture="qwen3moe", blocks=8, width=512, heads=16, heads_kv=4, head_length=64, feed_forward=512,
        vocabulary=32_000, quantization="Q8_0", experts=16, experts_used=4,
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Special:
    """A small model that caches something other than keys and values of each head; all weights are F32."""

    architecture: str
    blocks: int
    width: int
    numbers: dict[str, int | list[int]]
    """Keys of the header, without the architecture prefix."""
    tensors: dict[str, tuple[int, ...]]
    """Names and dimensions (columns last) of the tensors of a block."""
    block_tensors: dict[int, dict[str, tuple[int, ...]]] = field(default_factory=dict)
    """Tensors of blocks that differ."""
    last_norm: str = "output_norm.weight"


_FEED_FORWARD = {
    "ffn_norm.weight": (256,), "ffn_gate.weight": (512, 256), "ffn_up.weight": (512, 256),
    "ffn_down.weight": (256, 512),
}  # fmt: skip
_LFM2_ATTENTION = {
    "attn_norm.weight": (256,), "attn_q.weight": (256, 256), "attn_k.weight": (64, 256), "attn_v.weight": (64, 256),
    "attn_output.weight": (256, 256), "attn_q_norm.weight": (32,), "attn_k_norm.weight": (32,), **_FEED_FORWARD,
}  # fmt: skip
SPECIALS = {
    "mamba": Special(
        architecture="mamba", blocks=12, width=256,
        numbers={
            "context_length": _TRAINED_CONTEXT, "feed_forward_length": 0, "attention.head_count": 0,
            "ssm.conv_kernel": 4, "ssm.inner_size": 512, "ssm.state_size": 16, "ssm.time_step_rank": 16,
        },
        tensors={
            "attn_norm.weight": (256,), "ssm_in.weight": (1024, 256), "ssm_conv1d.weight": (512, 4),
            "ssm_conv1d.bias": (512,), "ssm_x.weight": (48, 512), "ssm_dt.weight": (512, 16), "ssm_dt.bias": (512,),
            "ssm_a": (512, 16), "ssm_d": (512,), "ssm_out.weight": (256, 512),
        },
    ),
    "lfm2": Special(
        architecture="lfm2", blocks=8, width=256, last_norm="token_embd_norm.weight",
        numbers={
            "context_length": _TRAINED_CONTEXT, "feed_forward_length": 512, "attention.head_count": 8,
            "attention.head_count_kv": [0, 0, 2, 0, 2, 0, 2, 0], "shortconv.l_cache": 3,
        },
        tensors={
            "attn_norm.weight": (256,), "shortconv.conv.weight": (256, 3), "shortconv.in_proj.weight": (768, 256),
            "shortconv.out_proj.weight": (256, 256), **_FEED_FORWARD,
        },
        block_tensors=dict.fromkeys((2, 4, 6), _LFM2_ATTENTION),
    ),
    "deepseek2": Special(
        architecture="deepseek2", blocks=27, width=256,
        numbers={
            "context_length": _TRAINED_CONTEXT, "feed_forward_length": 512, "attention.head_count": 4,
            "attention.head_count_kv": 1, "attention.key_length": 160, "attention.value_length": 128,
            "attention.key_length_mla": 64, "attention.value_length_mla": 32, "attention.kv_lora_rank": 128,
            "rope.dimension_count": 32, "leading_dense_block_count": 27, "expert_feed_forward_length": 64,
            "expert_shared_count": 1,
        },
        tensors={
            "attn_norm.weight": (256,), "attn_q.weight": (4 * 64, 256), "attn_kv_a_mqa.weight": (160, 256),
            "attn_kv_a_norm.weight": (128,), "attn_k_b.weight": (4, 128, 32), "attn_v_b.weight": (4, 32, 128),
            "attn_output.weight": (256, 4 * 32), **_FEED_FORWARD,
        },
    ),
}  # fmt: skip
_SPECIAL_WORDS = 1000


def write_special(path: Path, model: Special) -> Path:
    """Write one of ``SPECIALS`` to ``path`` and return it."""
    writer = gguf.GGUFWriter(path, model.architecture)
    writer.add_name(f"Random {model.architecture}")
    writer.add_block_count(model.blocks)
    writer.add_embedding_length(model.width)
    writer.add_layer_norm_rms_eps(1e-6)
    for key, value in model.numbers.items():
        if isinstance(value, list):
            writer.add_array(f"{model.architecture}.{key}", value)
        else:
            writer.add_uint32(f"{model.architecture}.{key}", value)
    _add_vocabulary(writer, _SPECIAL_WORDS)
    shapes = {"token_embd.weight": (_SPECIAL_WORDS, model.width), model.last_norm: (model.width,)}
    for block in range(model.blocks):
        own = model.block_tensors.get(block, model.tensors)
        shapes |= {f"blk.{block}.{name}": shape for name, shape in own.items()}
    random = np.random.default_rng(_SEED)
    for name, shape in shapes.items():
        weights = random.standard_normal(shape, dtype=np.float32) * np.float32(0.02)
        writer.add_tensor(name, weights)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def write_model(path: Path, shape: Shape) -> Path:
    """Write a model of this shape to ``path`` and return it."""
    writer = gguf.GGUFWriter(path, shape.architecture)
    _add_header(writer, shape)
    _add_vocabulary(writer, shape.vocabulary)
    kind = gguf.GGMLQuantizationType[shape.quantization]
    random = np.random.default_rng(_SEED)
    for name, dimensions in _matrices(shape):
        writer.add_tensor(name, _weights(random, dimensions, kind), raw_dtype=kind)
    for name, length in _norms(shape):
        writer.add_tensor(name, np.ones(length, dtype=np.float32))
    for block in range(shape.blocks if shape.experts else 0):
        router = random.standard_normal((shape.experts, shape.width), dtype=np.float32)
        writer.add_tensor(f"blk.{block}.ffn_gate_inp.weight", router * np.float32(0.02))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _add_header(writer: Any, shape: Shape) -> None:  # noqa: ANN401 - gguf has no types
    writer.add_name(f"Random {shape.architecture}")
    writer.add_context_length(_TRAINED_CONTEXT)
    writer.add_block_count(shape.blocks)
    writer.add_embedding_length(shape.width)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.heads_kv)
    writer.add_key_length(shape.head_length)
    writer.add_value_length(shape.head_length)
    writer.add_rope_dimension_count(shape.head_length)
    writer.add_layer_norm_rms_eps(1e-6)
    if shape.window:
        writer.add_sliding_window(shape.window)
    if shape.experts:
        writer.add_expert_count(shape.experts)
        writer.add_expert_used_count(shape.experts_used)
        writer.add_expert_feed_forward_length(shape.feed_forward)


def _add_vocabulary(writer: Any, size: int) -> None:  # noqa: ANN401 - gguf has no types
    pieces = [*_SPECIALS, *(f"<0x{byte:02X}>" for byte in range(256))]
    kinds = [gguf.TokenType.UNKNOWN, *[gguf.TokenType.CONTROL] * 2, *[gguf.TokenType.BYTE] * 256]
    filler = size - len(pieces)
    pieces += [f"w{number:07x}" for number in range(filler)]
    kinds += [gguf.TokenType.NORMAL] * filler
    writer.add_tokenizer_model("llama")
    writer.add_token_list([piece.encode() for piece in pieces])
    writer.add_token_scores([0.0] * size)
    writer.add_token_types(kinds)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)


def _matrices(shape: Shape) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield the name and the dimensions (columns last) of every matrix."""
    queries, keys = shape.heads * shape.head_length, shape.heads_kv * shape.head_length
    yield "token_embd.weight", (shape.vocabulary, shape.width)
    if not shape.is_tied:
        yield "output.weight", (shape.vocabulary, shape.width)
    for block in (f"blk.{number}" for number in range(shape.blocks)):
        yield f"{block}.attn_q.weight", (queries, shape.width)
        yield f"{block}.attn_k.weight", (keys, shape.width)
        yield f"{block}.attn_v.weight", (keys, shape.width)
        yield f"{block}.attn_output.weight", (shape.width, queries)
        experts, suffix = ((shape.experts,), "_exps") if shape.experts else ((), "")
        yield f"{block}.ffn_gate{suffix}.weight", (*experts, shape.feed_forward, shape.width)
        yield f"{block}.ffn_up{suffix}.weight", (*experts, shape.feed_forward, shape.width)
        yield f"{block}.ffn_down{suffix}.weight", (*experts, shape.width, shape.feed_forward)


def _norms(shape: Shape) -> Iterator[tuple[str, int]]:
    yield "output_norm.weight", shape.width
    for block in (f"blk.{number}" for number in range(shape.blocks)):
        yield f"{block}.attn_norm.weight", shape.width
        yield f"{block}.ffn_norm.weight", shape.width
        if shape.architecture in {"gemma3", "qwen3", "qwen3moe"}:
            yield f"{block}.attn_q_norm.weight", shape.head_length
            yield f"{block}.attn_k_norm.weight", shape.head_length
        if shape.is_gemma:
            yield f"{block}.post_attention_norm.weight", shape.width
            yield f"{block}.post_ffw_norm.weight", shape.width


def _weights(
    random: np.random.Generator, dimensions: tuple[int, ...], kind: gguf.GGMLQuantizationType
) -> NDArray[Any]:
    """Return small random weights: random quants with small scales."""
    block_elements, block_bytes = gguf.GGML_QUANT_SIZES[kind]
    rows, columns = dimensions[:-1], dimensions[-1]
    raw = random.integers(0, 256, (*rows, columns // block_elements, block_bytes), dtype=np.uint8)
    scale = np.frombuffer(np.float16(0.0005).tobytes(), dtype=np.uint8)
    raw[..., :2] = scale
    if kind.name == "Q4_K":  # scale, then the scale of the minima
        raw[..., 2:4] = scale
    return raw.reshape(*rows, columns // block_elements * block_bytes)
