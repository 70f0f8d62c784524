"""The tiny model's file: small, reproducible, and with the requested header."""

import sys
from pathlib import Path

import gguf
import pytest

from gglib.testing import write_tiny_gguf


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    """A file is a function of its arguments, and small enough to be written in each test."""
    first = write_tiny_gguf(tmp_path / "1.gguf", seed=3).read_bytes()
    assert write_tiny_gguf(tmp_path / "2.gguf", seed=3).read_bytes() == first
    assert write_tiny_gguf(tmp_path / "3.gguf", seed=4).read_bytes() != first
    assert len(first) < 600_000


def test_header_has_the_requested_values(tmp_path: Path) -> None:
    """Name, trained context and chat template are the caller's."""
    path = write_tiny_gguf(tmp_path / "t.gguf", name="n", context_length=99, chat_template="{{ x }}")
    reader = gguf.GGUFReader(path)
    keys = ("general.name", "llama.context_length", "tokenizer.chat_template")
    assert [reader.fields[key].contents() for key in keys] == ["n", 99, "{{ x }}"]
    bare = gguf.GGUFReader(write_tiny_gguf(tmp_path / "b.gguf", chat_template=None))
    assert "tokenizer.chat_template" not in bare.fields


def test_a_missing_gguf_package_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the package the error says what to install."""
    monkeypatch.setitem(sys.modules, "gguf", None)
    with pytest.raises(ImportError, match=r"pip install 'gglib\[testing\]'"):
        write_tiny_gguf(tmp_path / "t.gguf")
