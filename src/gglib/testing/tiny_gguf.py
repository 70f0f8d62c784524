"""Writes real models of half a megabyte from a seed: small enough for every test to write its own.

The engine loads one in hundredths of a second and generates some thousand tokens per second. The text is noise, mostly
of the most frequent English letters: printable ASCII without an end token, so that a response is as long as
``max_tokens`` says. Knows nothing of how gglib runs models.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    from numpy.typing import NDArray

CHATML_TEMPLATE = (
    "{%- for message in messages -%}"
    "<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}<|im_start|>assistant\n{%- endif -%}"
)

DEFAULT_CONTEXT_LENGTH = 32_768
DEFAULT_ENCODER_CONTEXT_LENGTH = 512
"""BERT's."""

BLOCKS = 2
WIDTH = 64
DEFAULT_HEAD_COUNT = 4
_FEED_FORWARD = 128
_NORM_EPSILON = 1e-5

_IMAGE_PIXELS = 28
_PATCH_PIXELS = 14
_VISION_WIDTH = 32
_VISION_HEADS = 2
_VISION_FEED_FORWARD = 64

_SPECIALS = ("<unk>", "<s>", "</s>")
_UNKNOWN, _BEGIN, _END = range(3)
_PRINTABLE = tuple(chr(code) for code in range(0x20, 0x7F))
_FIRST_PRINTABLE_ID = len(_SPECIALS) + 256
_SENTENCEPIECE_SPACE = "▁"

_BIAS_COLUMN = 0
"""A dimension of the hidden state that is equal for every token, and that no block writes to: it biases logits."""
_BIAS_INPUT = 4.0
_FORBIDDEN_LOGIT_WEIGHT = -40.0
"""Far below what any sampler keeps: it excludes unprintable bytes and the end token."""
_LETTERS_BY_FREQUENCY = " etaoinshrdlucmfwypvbgk"


def write_tiny_gguf(  # noqa: PLR0913 - what a header may say
    path: str | Path,
    *,
    name: str = "tiny",
    context_length: int = DEFAULT_CONTEXT_LENGTH,
    seed: int = 0,
    chat_template: str | None = CHATML_TEMPLATE,
    pooling_type: int | None = None,
    has_infill_tokens: bool = False,
    head_count: int = DEFAULT_HEAD_COUNT,
) -> Path:
    """Write a llama model with a byte-level vocabulary of 354 tokens to ``path`` and return it.

    The same arguments give the same bytes. ``context_length`` is the trained context in the header, in tokens. Without
    ``chat_template`` the header has none. A ``pooling_type`` (llama.cpp's number: 1 mean, 2 cls, 3 last, 4 rank) makes
    an embedding model of a decoder, or a reranker. With ``has_infill_tokens`` it can fill in the middle. With a
    ``head_count`` of 2 its heads have 32 elements, so that the engine can quantize its KV cache. Raises ``ImportError``
    without the package ``gguf``.

    Run it with one thread (``--threads 1``): the engine's threads wait for each other by spinning, and on a busy
    machine a model this small then takes a hundred times as long.
    """
    gguf = require_gguf()
    writer = gguf.GGUFWriter(path, "llama")
    _add_header(writer, name=name, context_length=context_length, head_count=head_count)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    if pooling_type is not None:
        writer.add_pooling_type(gguf.PoolingType(pooling_type))
    _add_vocabulary(writer, gguf.TokenType)
    if has_infill_tokens:
        _add_infill_tokens(writer, gguf.Keys.Tokenizer)
    if chat_template is not None:
        writer.add_chat_template(chat_template)
    return written_gguf(writer, path, _tensors(seed))


def write_tiny_encoder(  # noqa: PLR0913 - as above
    path: str | Path,
    *,
    name: str = "tiny-encoder",
    context_length: int = DEFAULT_ENCODER_CONTEXT_LENGTH,
    seed: int = 0,
    pooling_type: int | None = 1,
    has_classifier: bool = False,
) -> Path:
    """Write a BERT model with the vocabulary of ``write_tiny_gguf`` to ``path`` and return it.

    The same arguments give the same bytes. It converts texts into vectors of 64 numbers. With a ``pooling_type`` of 4
    and a classifier (``cls``, ``cls.output``) it is a reranker; a classifier without a pooling type makes one, too:
    this is how converters write rerankers of its family. Raises ``ImportError`` without the package ``gguf``.
    """
    gguf = require_gguf()
    writer = gguf.GGUFWriter(path, "bert")
    _add_encoder_header(writer, name=name, context_length=context_length)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    if pooling_type is not None:
        writer.add_pooling_type(gguf.PoolingType(pooling_type))
    _add_vocabulary(writer, gguf.TokenType)
    writer.add_sep_token_id(_END)
    return written_gguf(writer, path, _encoder_tensors(seed, context_length, has_classifier=has_classifier))


def write_tiny_projector(path: str | Path, *, seed: int = 0) -> Path:
    """Write a projector (mmproj) for the models of ``write_tiny_gguf`` to ``path`` and return it.

    It is LLaVA's: a vision transformer for images of 28 x 28, and two layers that map each of its four patches to a
    token. The same arguments give the same bytes. Raises ``ImportError`` without the package ``gguf``.
    """
    writer = require_gguf().GGUFWriter(path, "clip")
    writer.add_type("mmproj")
    _add_projector_header(writer)
    return written_gguf(writer, path, _projector_tensors(seed))


def require_gguf() -> Any:  # noqa: ANN401 - gguf has no types
    """Return the module ``gguf``. Raises ``ImportError`` with the command that installs it."""
    try:
        import gguf  # noqa: PLC0415 - only writing a model needs it
    except ImportError as error:
        raise ImportError("a tiny model needs the gguf package: pip install 'gglib[testing]'") from error
    return gguf


def written_gguf(writer: Any, path: str | Path, tensors: "Iterator[tuple[str, NDArray[np.float32]]]") -> Path:  # noqa: ANN401
    """Write a file with the given tensors to ``path`` and return it."""
    for tensor_name, tensor in tensors:
        writer.add_tensor(tensor_name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return Path(path)


def _add_projector_header(writer: Any) -> None:  # noqa: ANN401 - gguf has no types
    writer.add_bool("clip.has_vision_encoder", val=True)
    writer.add_string("clip.projector_type", "mlp")
    writer.add_bool("clip.use_gelu", val=True)
    for name, value in {
        "image_size": _IMAGE_PIXELS,
        "patch_size": _PATCH_PIXELS,
        "embedding_length": _VISION_WIDTH,
        "feed_forward_length": _VISION_FEED_FORWARD,
        "projection_dim": WIDTH,
        "block_count": BLOCKS,
        "attention.head_count": _VISION_HEADS,
    }.items():
        writer.add_uint32(f"clip.vision.{name}", value)
    writer.add_float32("clip.vision.attention.layer_norm_epsilon", _NORM_EPSILON)
    for name in ("image_mean", "image_std"):
        writer.add_array(f"clip.vision.{name}", [0.5, 0.5, 0.5])


def _projector_tensors(seed: int) -> "Iterator[tuple[str, NDArray[np.float32]]]":
    import numpy as np  # noqa: PLC0415 - comes with gguf

    random = np.random.default_rng(seed)

    def normal(*shape: int) -> "NDArray[np.float32]":
        return (random.standard_normal(shape) * 0.1).astype(np.float32)

    def layer(name: str, outputs: int, inputs: int) -> "Iterator[tuple[str, NDArray[np.float32]]]":
        yield f"{name}.weight", normal(outputs, inputs)
        yield f"{name}.bias", normal(outputs)

    def norm(name: str) -> "Iterator[tuple[str, NDArray[np.float32]]]":
        yield f"{name}.weight", np.ones(_VISION_WIDTH, dtype=np.float32)
        yield f"{name}.bias", normal(_VISION_WIDTH)

    yield "v.class_embd", normal(_VISION_WIDTH)
    yield "v.patch_embd.weight", normal(_VISION_WIDTH, 3, _PATCH_PIXELS, _PATCH_PIXELS)
    yield "v.position_embd.weight", normal((_IMAGE_PIXELS // _PATCH_PIXELS) ** 2 + 1, _VISION_WIDTH)
    yield from norm("v.pre_ln")
    for block in range(BLOCKS):
        for name in ("attn_q", "attn_k", "attn_v", "attn_out"):
            yield from layer(f"v.blk.{block}.{name}", _VISION_WIDTH, _VISION_WIDTH)
        yield from layer(f"v.blk.{block}.ffn_up", _VISION_FEED_FORWARD, _VISION_WIDTH)
        yield from layer(f"v.blk.{block}.ffn_down", _VISION_WIDTH, _VISION_FEED_FORWARD)
        yield from norm(f"v.blk.{block}.ln1")
        yield from norm(f"v.blk.{block}.ln2")
    yield from layer("mm.0", WIDTH, _VISION_WIDTH)
    yield from layer("mm.2", WIDTH, WIDTH)


def _add_header(writer: Any, *, name: str, context_length: int, head_count: int) -> None:  # noqa: ANN401 - gguf has no types
    writer.add_name(name)
    writer.add_context_length(context_length)
    writer.add_block_count(BLOCKS)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(_FEED_FORWARD)
    writer.add_head_count(head_count)
    writer.add_head_count_kv(head_count)
    writer.add_rope_dimension_count(WIDTH // head_count)
    writer.add_layer_norm_rms_eps(_NORM_EPSILON)
    writer.add_vocab_size(_FIRST_PRINTABLE_ID + len(_PRINTABLE))


def _add_encoder_header(writer: Any, *, name: str, context_length: int) -> None:  # noqa: ANN401 - gguf has no types
    writer.add_name(name)
    writer.add_context_length(context_length)
    writer.add_block_count(BLOCKS)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(_FEED_FORWARD)
    writer.add_head_count(DEFAULT_HEAD_COUNT)
    writer.add_layer_norm_eps(_NORM_EPSILON)
    writer.add_causal_attention(False)
    writer.add_token_type_count(1)


def _add_vocabulary(writer: Any, token_type: Any) -> None:  # noqa: ANN401 - gguf has no types
    """Add a SentencePiece vocabulary: any text becomes one token for each printable character or byte."""
    byte_pieces = tuple(f"<0x{byte:02X}>" for byte in range(256))
    characters = tuple(_SENTENCEPIECE_SPACE if c == " " else c for c in _PRINTABLE)
    pieces = (*_SPECIALS, *byte_pieces, *characters)
    kinds = [token_type.UNKNOWN, token_type.CONTROL, token_type.CONTROL]
    kinds += [token_type.BYTE] * len(byte_pieces)
    kinds += [token_type.NORMAL] * len(characters)
    writer.add_tokenizer_model("llama")
    writer.add_token_list([piece.encode() for piece in pieces])
    writer.add_token_scores([0.0] * len(pieces))
    writer.add_token_types(kinds)
    writer.add_unk_token_id(_UNKNOWN)
    writer.add_bos_token_id(_BEGIN)
    writer.add_eos_token_id(_END)
    writer.add_add_bos_token(True)
    writer.add_add_space_prefix(False)


def _add_infill_tokens(writer: Any, keys: Any) -> None:  # noqa: ANN401 - gguf has no types
    """Use tokens of unprintable bytes, which no text has."""
    for number, key in enumerate((keys.FIM_PRE_ID, keys.FIM_SUF_ID, keys.FIM_MID_ID)):
        writer.add_uint32(key, len(_SPECIALS) + 1 + number)


def _tensors(seed: int) -> "Iterator[tuple[str, NDArray[np.float32]]]":
    """Yield every tensor by name, in an order that is part of what the seed means."""
    import numpy as np  # noqa: PLC0415 - comes with gguf

    uniform = random_matrices(seed)

    def without_bias_row(matrix: "NDArray[np.float32]") -> "NDArray[np.float32]":
        matrix[_BIAS_COLUMN, :] = 0.0
        return matrix

    vocabulary = _FIRST_PRINTABLE_ID + len(_PRINTABLE)
    embedding = uniform(vocabulary, WIDTH, 1.0)
    embedding[:, _BIAS_COLUMN] = _BIAS_INPUT
    yield "token_embd.weight", embedding
    ones = np.ones(WIDTH, dtype=np.float32)
    for block in (f"blk.{number}" for number in range(BLOCKS)):
        yield f"{block}.attn_norm.weight", ones
        for part in ("attn_q", "attn_k", "attn_v"):
            yield f"{block}.{part}.weight", uniform(WIDTH, WIDTH, 0.2)
        yield f"{block}.attn_output.weight", without_bias_row(uniform(WIDTH, WIDTH, 0.2))
        yield f"{block}.ffn_norm.weight", ones
        yield f"{block}.ffn_gate.weight", uniform(_FEED_FORWARD, WIDTH, 0.2)
        yield f"{block}.ffn_up.weight", uniform(_FEED_FORWARD, WIDTH, 0.2)
        yield f"{block}.ffn_down.weight", without_bias_row(uniform(WIDTH, _FEED_FORWARD, 0.2))
    yield "output_norm.weight", ones
    yield "output.weight", _output(uniform(vocabulary, WIDTH, 0.25))


def _encoder_tensors(
    seed: int, context_length: int, *, has_classifier: bool
) -> "Iterator[tuple[str, NDArray[np.float32]]]":
    """Yield every tensor by name, in an order that is part of what the seed means."""
    import numpy as np  # noqa: PLC0415 - comes with gguf

    uniform = random_matrices(seed)
    ones, zeros = np.ones(WIDTH, dtype=np.float32), np.zeros(WIDTH, dtype=np.float32)
    yield "token_embd.weight", uniform(_FIRST_PRINTABLE_ID + len(_PRINTABLE), WIDTH, 1.0)
    yield "token_types.weight", np.zeros((1, WIDTH), dtype=np.float32)
    yield "position_embd.weight", uniform(context_length, WIDTH, 0.2)
    yield "token_embd_norm.weight", ones
    yield "token_embd_norm.bias", zeros
    for block in (f"blk.{number}" for number in range(BLOCKS)):
        for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
            yield f"{block}.{part}.weight", uniform(WIDTH, WIDTH, 0.2)
            yield f"{block}.{part}.bias", zeros
        yield f"{block}.ffn_up.weight", uniform(_FEED_FORWARD, WIDTH, 0.2)
        yield f"{block}.ffn_up.bias", np.zeros(_FEED_FORWARD, dtype=np.float32)
        yield f"{block}.ffn_down.weight", uniform(WIDTH, _FEED_FORWARD, 0.2)
        yield f"{block}.ffn_down.bias", zeros
        for norm in ("attn_output_norm", "layer_output_norm"):
            yield f"{block}.{norm}.weight", ones
            yield f"{block}.{norm}.bias", zeros
    if has_classifier:
        yield "cls.weight", uniform(WIDTH, WIDTH, 0.2)
        yield "cls.bias", zeros
        yield "cls.output.weight", uniform(1, WIDTH, 1.0)
        yield "cls.output.bias", np.zeros(1, dtype=np.float32)


def random_matrices(seed: int) -> "Callable[[int, int, float], NDArray[np.float32]]":
    """Return a function that draws matrices of numbers between plus and minus a scale."""
    import numpy as np  # noqa: PLC0415 - comes with gguf

    # Of numpy's generators only the raw streams are guaranteed to be stable across versions.
    stream = np.random.PCG64(seed)

    def uniform(rows: int, columns: int, scale: float) -> "NDArray[np.float32]":
        raw = stream.random_raw(rows * columns).astype(np.float64) / 2.0**64
        return ((raw * 2.0 - 1.0) * scale).astype(np.float32).reshape(rows, columns)

    return uniform


def _output(weights: "NDArray[np.float32]") -> "NDArray[np.float32]":
    """Bias the logits towards frequent letters; exclude unprintable bytes and the end token."""
    weights[:_FIRST_PRINTABLE_ID, :] = 0.0
    weights[:_FIRST_PRINTABLE_ID, _BIAS_COLUMN] = _FORBIDDEN_LOGIT_WEIGHT
    weights[_FIRST_PRINTABLE_ID:, _BIAS_COLUMN] = -1.0
    for rank, letter in enumerate(_LETTERS_BY_FREQUENCY):
        weights[_FIRST_PRINTABLE_ID + _PRINTABLE.index(letter), _BIAS_COLUMN] = 1.0 - rank * 0.04
    return weights
