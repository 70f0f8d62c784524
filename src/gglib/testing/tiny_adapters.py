"""Writes a LoRA adapter and a control vector for the models of ``tiny_gguf``, from a seed."""

from pathlib import Path
from typing import TYPE_CHECKING

from gglib.testing.tiny_gguf import BLOCKS, WIDTH, random_matrices, require_gguf, written_gguf

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

_RANK = 2
_ALPHA = 2.0
"""As the rank: the product of the two matrices is added as it is."""
_STRENGTH = 0.5


def write_tiny_lora(path: str | Path, *, seed: int = 1) -> Path:
    """Write a LoRA adapter of rank 2 for the attention of ``write_tiny_gguf``'s models to ``path`` and return it.

    The same arguments give the same bytes; the generated text changes with it. Raises ``ImportError`` without the
    package ``gguf``.
    """
    writer = require_gguf().GGUFWriter(path, "llama")
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", _ALPHA)
    return written_gguf(writer, path, _lora_tensors(seed))


def write_tiny_control_vector(path: str | Path, *, seed: int = 1) -> Path:
    """Write a control vector with a direction for each layer but the first to ``path`` and return it.

    The same arguments give the same bytes; the generated text changes with it. Raises ``ImportError`` without the
    package ``gguf``.
    """
    writer = require_gguf().GGUFWriter(path, "controlvector")
    writer.add_string("controlvector.model_hint", "llama")
    writer.add_uint32("controlvector.layer_count", BLOCKS - 1)
    return written_gguf(writer, path, _directions(seed))


def _lora_tensors(seed: int) -> "Iterator[tuple[str, NDArray[np.float32]]]":
    uniform = random_matrices(seed)
    for block in range(BLOCKS):
        for part in ("attn_q", "attn_v"):
            yield f"blk.{block}.{part}.weight.lora_a", uniform(_RANK, WIDTH, _STRENGTH)
            yield f"blk.{block}.{part}.weight.lora_b", uniform(WIDTH, _RANK, _STRENGTH)


def _directions(seed: int) -> "Iterator[tuple[str, NDArray[np.float32]]]":
    uniform = random_matrices(seed)
    for layer in range(1, BLOCKS):
        yield f"direction.{layer}", uniform(1, WIDTH, _STRENGTH).reshape(WIDTH)
