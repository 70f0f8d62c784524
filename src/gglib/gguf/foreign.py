"""Recognizes files of other formats that are taken for models, from their first bytes. Pure."""

HEAD_BYTES = 64
"""Enough for every rule here."""

_OTHER_MODEL = "'gglib search' finds GGUF versions of models"
_UNPACK = "unpack it, and use the .gguf file in it"
_MAX_SAFETENSORS_HEADER_BYTES = 100_000_000
"""The limit of the format (https://huggingface.co/docs/safetensors): a little-endian length, then a JSON object."""

_FORMATS: tuple[tuple[bytes, str], ...] = (
    (
        b"version https://git-lfs",
        "a pointer of Git LFS and not the model: 'git lfs pull' downloads the model",
    ),
    (b"PK\x03\x04", f"a ZIP archive or a PyTorch checkpoint; {_OTHER_MODEL}"),
    (b"\x80\x02", f"a PyTorch checkpoint; {_OTHER_MODEL}"),
    (b"\x80\x04", f"a Python pickle; {_OTHER_MODEL}"),
    (b"\x1f\x8b", f"compressed with gzip: {_UNPACK}"),
    (b"\x28\xb5\x2f\xfd", f"compressed with zstd: {_UNPACK}"),
    (b"\xfd7zXZ\x00", f"compressed with xz: {_UNPACK}"),
    (b"7z\xbc\xaf\x27\x1c", f"a 7z archive: {_UNPACK}"),
    # Numbers, which are written with the last letter first: ggml, ggmf and ggjt, until August 2023.
    (b"lmgg", f"in the older GGML format, which llama.cpp no longer reads; {_OTHER_MODEL}"),
    (b"fmgg", f"in the older GGML format, which llama.cpp no longer reads; {_OTHER_MODEL}"),
    (b"tjgg", f"in the older GGML format, which llama.cpp no longer reads; {_OTHER_MODEL}"),
)


def describe_foreign(head: bytes) -> str | None:
    """Return what a file is instead of a GGUF file, and what to do, as a phrase; None for an unknown format."""
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith((b"<!doctype html", b"<html")):
        return "a web page: its download needs a login, or another link"
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= _MAX_SAFETENSORS_HEADER_BYTES:
        return f"a safetensors file; {_OTHER_MODEL}"
    return next((what for magic, what in _FORMATS if head.startswith(magic)), None)
