"""Two ways to make a GGUF file: byte by byte, for files that no writer would write, and with the reference writer."""

import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest


def _text(value: str | bytes) -> bytes:
    raw = value.encode() if isinstance(value, str) else value
    return struct.pack("=Q", len(raw)) + raw


class RawGguf:
    """Packs headers by hand: a pair is (key, type number, packed value)."""

    text = staticmethod(_text)

    @staticmethod
    def string(key: str | bytes, value: str | bytes) -> bytes:
        """Pack a pair that holds text."""
        return _text(key) + struct.pack("=I", 8) + _text(value)

    @staticmethod
    def number(key: str, value: float, kind: int = 4, layout: str = "I") -> bytes:
        """Pack a pair that holds a number, by default an unsigned one of 32 bits."""
        return _text(key) + struct.pack("=I" + layout, kind, value)

    @staticmethod
    def array(key: str, kind: int, count: int, packed: bytes) -> bytes:
        """Pack a pair that holds an array, with any bytes."""
        return _text(key) + struct.pack("=IIQ", 9, kind, count) + packed

    @staticmethod
    def tensor(name: str = "w", dims: Sequence[int] = (32,), kind: int = 0, offset: int = 0) -> bytes:
        """Pack the entry of one tensor."""
        return _text(name) + struct.pack(f"=I{len(dims)}QIQ", len(dims), *dims, kind, offset)

    @staticmethod
    def header(
        pairs: Sequence[bytes] = (),
        tensors: Sequence[bytes] = (),
        *,
        version: int = 3,
        pair_count: int | None = None,
        tensor_count: int | None = None,
        data_bytes: int = 1024,
    ) -> bytes:
        """Put a whole file together; the counts are right unless given."""
        counts = (
            len(tensors) if tensor_count is None else tensor_count,
            len(pairs) if pair_count is None else pair_count,
        )
        preamble = b"GGUF" + struct.pack("=IQQ", version, *counts)
        return preamble + b"".join(pairs) + b"".join(tensors) + bytes(data_bytes)


@pytest.fixture(scope="session")
def raw() -> RawGguf:
    """Give the hand packer."""
    return RawGguf()


@pytest.fixture
def file_of(tmp_path: Path) -> Callable[[bytes], Path]:
    """Give a function that puts bytes into a file."""

    def write(content: bytes) -> Path:
        path = tmp_path / "model.gguf"
        path.write_bytes(content)
        return path

    return write


@pytest.fixture
def write_model(tmp_path: Path) -> Callable[..., Path]:
    """Give a function that writes a small model with the reference writer."""

    def write(
        architecture: str,
        *,
        setup: Callable[[Any], None] = lambda _: None,
        tensors: dict[str, tuple[int, ...]] | None = None,
        name: str = "model.gguf",
        **writer_options: Any,
    ) -> Path:
        path = tmp_path / name
        writer = gguf.GGUFWriter(path, architecture, **writer_options)
        setup(writer)
        for tensor, shape in (tensors or {"token_embd.weight": (8, 4), "output_norm.weight": (4,)}).items():
            writer.add_tensor(tensor, np.zeros(shape, dtype=np.float32))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return path

    return write
