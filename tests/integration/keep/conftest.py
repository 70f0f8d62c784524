"""Real files of models, and a catalogue for them."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import gguf
import numpy as np
import pytest

from gglib.db import SqliteCatalog
from gglib.testing import write_tiny_gguf

Writer = Callable[..., Path]


@pytest.fixture
def write() -> Writer:
    """Return a writer of tiny models: another seed is another file."""

    def put(path: Path, seed: int = 0) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        return write_tiny_gguf(path, seed=seed, chat_template=None)

    return put


@pytest.fixture
def write_header() -> Callable[..., Path]:
    """Return a writer of GGUF files with a header and no tensors."""

    def put(path: Path, architecture: str = "llama", kind: str | None = None) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        writer = gguf.GGUFWriter(path, architecture)
        if kind is not None:
            writer.add_type(kind)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return path

    return put


@pytest.fixture
def models_dir(tmp_path: Path) -> Path:
    """Return gglib's own directory of models."""
    path = tmp_path / "home" / "models"
    path.mkdir(parents=True)
    return path


@pytest.fixture
async def catalog(tmp_path: Path, models_dir: Path) -> AsyncIterator[SqliteCatalog]:
    """Return an empty catalogue."""
    async with SqliteCatalog(tmp_path / "home" / "gglib.db") as opened:
        yield opened


@pytest.fixture
def write_shards() -> Callable[[Path], list[Path]]:
    """Return a writer of a model that the reference writer splits into two files."""

    def put(directory: Path) -> list[Path]:
        writer = gguf.GGUFWriter(directory / "big.gguf", "llama", split_max_tensors=1)
        for tensor in ("token_embd.weight", "output_norm.weight"):
            writer.add_tensor(tensor, np.zeros((4,), dtype=np.float32))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return [directory / f"big-0000{number}-of-00002.gguf" for number in (1, 2)]

    return put
