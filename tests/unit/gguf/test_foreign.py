"""Files of other formats that users take for models."""

import pytest

from gglib.gguf.foreign import HEAD_BYTES, describe_foreign

SAFETENSORS = (1234).to_bytes(8, "little") + b'{"__metadata__":{"format":"pt"}}'


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (SAFETENSORS, "a safetensors file; 'gglib search'"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:", "'git lfs pull'"),
        (b"<!DOCTYPE html><html>", "a web page"),
        (b"\xef\xbb\xbf\r\n <HTML lang", "a web page"),
        (b"PK\x03\x04\x14\x00", "a ZIP archive"),
        (b"\x80\x02}q\x00", "a PyTorch checkpoint"),
        (b"\x1f\x8b\x08\x00", "compressed with gzip"),
        (b"tjgg\x03\x00\x00\x00", "older GGML format"),
    ],
)
def test_a_known_format_is_named(head: bytes, words: str) -> None:
    """With what to do."""
    assert words in (describe_foreign(head[:HEAD_BYTES]) or "")


@pytest.mark.parametrize(
    "head", [b"", b"XXXX", bytes(64), b"<svg>", b'{"a": 1}', b"\xff" * 8 + b"{", b"hello, wor{"]
)
def test_other_bytes_are_unknown(head: bytes) -> None:
    """Also a brace at the place of a safetensors header, behind an impossible length."""
    assert describe_foreign(head) is None
