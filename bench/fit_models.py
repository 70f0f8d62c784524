"""Writes models of real shapes with random weights: for what they take in memory, not for what they say."""

from collections.abc import Iterator
from dataclasses import dataclass
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
        """Whether it has norms behind its attention and feed-forward, and of queries and keys."""
        return self.architecture == "gemma3"


SHAPES = {
    # That of TinyLlama-sized models with grouped heads; Q4_0 is stored anew by the engine (repacked) on most machines.
    "llama-q4_0": Shape(
        architecture="llama", blocks=22, width=1024, heads=16, heads_kv=4, head_length=64, feed_forward=2816,
        vocabulary=32_000, quantization="Q4_0",
    ),
    # That of gemma-3-270m: a window of 512, one layer in six without, and a very large vocabulary.
    "gemma3-q8_0": Shape(
        architecture="gemma3", blocks=18, width=640, heads=4, heads_kv=1, head_length=256, feed_forward=2048,
        vocabulary=262_144, quantization="Q8_0", window=512, is_tied=True,
    ),
    # That of qwen3-0.6b: heads wider than the model, the usual mixture of today, and a large vocabulary.
    "qwen3-q4_k": Shape(
        architecture="qwen3", blocks=12, width=1024, heads=16, heads_kv=8, head_length=128, feed_forward=3072,
        vocabulary=151_936, quantization="Q4_K", is_tied=True,
    ),
    "qwen3moe-q8_0": Shape(
        architecture="qwen3moe", blocks=8, width=512, heads=16, heads_kv=4, head_length=64, feed_forward=512,
        vocabulary=32_000, quantization="Q8_0", experts=16, experts_used=4,
    ),
}  # fmt: skip


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
    """Yield the name and the dimensions, columns last, of every matrix."""
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
    """Return small random weights: random quants under small scales."""
    block_elements, block_bytes = gguf.GGML_QUANT_SIZES[kind]
    rows, columns = dimensions[:-1], dimensions[-1]
    raw = random.integers(0, 256, (*rows, columns // block_elements, block_bytes), dtype=np.uint8)
    scale = np.frombuffer(np.float16(0.0005).tobytes(), dtype=np.uint8)
    raw[..., :2] = scale
    if kind.name == "Q4_K":  # scale, then the scale of the minima
        raw[..., 2:4] = scale
    return raw.reshape(*rows, columns // block_elements * block_bytes)
