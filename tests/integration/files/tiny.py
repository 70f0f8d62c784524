"""GGUF files of a few kilobytes, written without a library: each test run writes hundreds of them."""

import hashlib
import struct
from collections.abc import Sequence

_STRING, _U16, _U32, _I32 = 8, 2, 4, 5
_ALIGNMENT = 32
_F32 = 0
SIZE_BYTES = 3_000
"""The default file size: versions of a file have equal sizes unless a test sets another."""


def model(seed: str, *, size_bytes: int = SIZE_BYTES, shard: tuple[int, int] | None = None) -> bytes:
    """Return a model, or a shard (index from 0, count), whose tensor is random by ``seed``."""
    pairs: list[tuple[str, int, str | int]] = [
        ("general.architecture", _STRING, "llama"),
        ("llama.context_length", _U32, 4096),
    ]
    if shard is not None:
        index, count = shard
        pairs += [
            ("split.no", _U16, index),
            ("split.count", _U16, count),
            ("split.tensors.count", _I32, count),
        ]
    name = "token_embd.weight" if shard is None else f"blk.{shard[0]}.weight"
    return _file(pairs, name, seed, size_bytes)


def projector(seed: str, *, size_bytes: int = 1_500) -> bytes:
    """Return a projector (mmproj)."""
    pairs = [("general.architecture", _STRING, "clip"), ("general.type", _STRING, "mmproj")]
    return _file(pairs, "v.patch_embd.weight", seed, size_bytes)


def truncated(content: bytes, missing_bytes: int = 64) -> bytes:
    """Return a file that ends within its last tensor."""
    return content[:-missing_bytes]


def sha256(content: bytes) -> str:
    """Return the hash in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def _file(pairs: Sequence[tuple[str, int, str | int]], tensor: str, seed: str, size_bytes: int) -> bytes:
    head = b"GGUF" + struct.pack("<IQQ", 3, 1, len(pairs))
    for key, kind, value in pairs:
        head += _text(key) + struct.pack("<I", kind)
        head += (
            _text(value) if isinstance(value, str) else struct.pack({2: "<H", 4: "<I", 5: "<i"}[kind], value)
        )
    length = len(head) + len(_text(tensor)) + 4 + 8 + 4 + 8
    start = -(-length // _ALIGNMENT) * _ALIGNMENT
    elements = (size_bytes - start) // 4
    head += _text(tensor) + struct.pack("<IQIQ", 1, elements, _F32, 0)
    head += bytes(start - len(head))
    return head + hashlib.shake_128(seed.encode()).digest(elements * 4)


def _text(text: str) -> bytes:
    return struct.pack("<Q", len(text)) + text.encode()
