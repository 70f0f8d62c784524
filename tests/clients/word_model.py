"""Writes tiny models with the tokenizer of a real one; their text is short words.

The vocabulary of ``gglib.testing``'s tiny models is bytes: the first prompt of an agent has 77,000 of them, and
attention over that many tokens takes minutes. With a real vocabulary it has a quarter of the tokens. And a model that
begins each response with the mark of a tool call makes the engine's grammar complete the call.
"""

from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gguf
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

_WIDTH = 64
_HEADS = 4
_FEED_FORWARD = 128
_TOKENIZER = "tokenizer.ggml."
_TEMPLATE = "tokenizer.chat_template"
_FORBIDDEN_WEIGHT = -40.0
_END = "<|im_end|>"
_END_WEIGHT = 0.35
"""With the default sampling, one token in some forty among the short words is the end."""
_BIAS_INPUT = 4.0
_BIAS_COLUMN = 0
"""A dimension of the hidden state that is equal for all tokens: it biases logits. No block writes to it."""
_FIRST_CHAIN_COLUMN = 1
_CHAIN_WEIGHT = 80.0
"""The weight of a successor in a chain: outweighs the bias against tokens that are no short words."""


def write_word_model(
    path: Path,
    *,
    name: str,
    tokenizer_of: Path,
    context_length: int,
    chat_template: str,
    chain: tuple[str, ...] = (),
) -> Path:
    """Write a llama model of one block with the vocabulary of the model ``tokenizer_of``; return ``path``.

    Its text is some forty short words; at temperature 0 it may go on until the limit of the request. ``chain`` are
    pieces of the vocabulary: after each of them the model generates the next one where a grammar allows it, at any
    temperature.
    """
    fields = gguf.GGUFReader(tokenizer_of).fields
    words = fields[f"{_TOKENIZER}tokens"].contents()
    writer: Any = gguf.GGUFWriter(path, "llama")
    writer.add_name(name)
    writer.add_context_length(context_length)
    writer.add_block_count(1)
    writer.add_embedding_length(_WIDTH)
    writer.add_feed_forward_length(_FEED_FORWARD)
    writer.add_head_count(_HEADS)
    writer.add_head_count_kv(_HEADS)
    writer.add_rope_dimension_count(_WIDTH // _HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(words))
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    _copy_tokenizer(fields, writer)
    writer.add_chat_template(chat_template)
    for tensor_name, tensor in _tensors(words, chain):
        writer.add_tensor(tensor_name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _copy_tokenizer(fields: Any, writer: Any) -> None:
    for key, tokenizer_field in fields.items():
        if key.startswith(_TOKENIZER) and key != _TEMPLATE:
            kind = tokenizer_field.types[0]
            inner = tokenizer_field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None
            writer.add_key_value(key, tokenizer_field.contents(), kind, sub_type=inner)


def _tensors(words: list[str], chain: tuple[str, ...]) -> "Iterator[tuple[str, NDArray[np.float32]]]":
    random = np.random.default_rng(0)
    reserved = _FIRST_CHAIN_COLUMN + max(len(chain) - 1, 0)

    def uniform(rows: int, columns: int, scale: float) -> "NDArray[np.float32]":
        return ((random.random((rows, columns)) * 2 - 1) * scale).astype(np.float32)

    def without_reserved_rows(matrix: "NDArray[np.float32]") -> "NDArray[np.float32]":
        matrix[:reserved, :] = 0.0
        return matrix

    embedding = uniform(len(words), _WIDTH, 1.0)
    embedding[:, :reserved] = 0.0
    embedding[:, _BIAS_COLUMN] = _BIAS_INPUT
    output = uniform(len(words), _WIDTH, 0.25)
    output[:, :reserved] = 0.0
    output[:, _BIAS_COLUMN] = [_weight_of(word) for word in words]
    for column, (piece, successor) in enumerate(pairwise(chain), start=_FIRST_CHAIN_COLUMN):
        embedding[words.index(piece), column] = _BIAS_INPUT
        output[words.index(successor), column] = _CHAIN_WEIGHT
    yield "token_embd.weight", embedding
    ones = np.ones(_WIDTH, dtype=np.float32)
    yield "blk.0.attn_norm.weight", ones
    for part in ("attn_q", "attn_k", "attn_v"):
        yield f"blk.0.{part}.weight", uniform(_WIDTH, _WIDTH, 0.1)
    yield "blk.0.attn_output.weight", without_reserved_rows(uniform(_WIDTH, _WIDTH, 0.1))
    yield "blk.0.ffn_norm.weight", ones
    yield "blk.0.ffn_gate.weight", uniform(_FEED_FORWARD, _WIDTH, 0.1)
    yield "blk.0.ffn_up.weight", uniform(_FEED_FORWARD, _WIDTH, 0.1)
    yield "blk.0.ffn_down.weight", without_reserved_rows(uniform(_WIDTH, _FEED_FORWARD, 0.1))
    yield "output_norm.weight", ones
    yield "output.weight", output


def _weight_of(word: str) -> float:
    """Return the bias weight of a piece: short words are the text; the others appear where a grammar forces them.

    In a byte-level vocabulary ``Ġ``, ``Ċ`` and ``ĉ`` stand for space, line feed and tab. What would prolong a response
    is the last choice of a grammar: white space, another item, another call. The end is its first choice, and a string
    ends as a text does.
    """
    text = word.removeprefix("Ġ")
    if word in (_END, '"'):
        return _END_WEIGHT
    if not word.strip("ĠĊĉč"):
        return 2.0 * _FORBIDDEN_WEIGHT
    if "," in word or ">" in word[:-1]:
        return 1.5 * _FORBIDDEN_WEIGHT
    is_short_word = len(text) in range(2, 6) and text.isascii() and text.isalpha() and text.islower()
    return 0.0 if is_short_word and text != word else _FORBIDDEN_WEIGHT
