"""Measures reading the header of a model with a vocabulary of 256k tokens."""

import statistics
import struct
import tempfile
import time
from pathlib import Path

from gglib.gguf import read_gguf

_TOKENS = 256_000
_RUNS = 9


def _text(value: str) -> bytes:
    return struct.pack("=Q", len(value)) + value.encode()


def _array(key: str, kind: int, packed: bytes) -> bytes:
    return _text(key) + struct.pack("=IIQ", 9, kind, _TOKENS) + packed


def _header(*, has_merges: bool) -> bytes:
    words = b"".join(_text(f"t{number}") for number in range(_TOKENS))
    pairs = [
        _text("general.architecture") + struct.pack("=I", 8) + _text("llama"),
        _array("tokenizer.ggml.tokens", 8, words),
        _array("tokenizer.ggml.scores", 6, bytes(4 * _TOKENS)),
        _array("tokenizer.ggml.token_type", 5, bytes(4 * _TOKENS)),
    ]
    if has_merges:
        pairs.append(_array("tokenizer.ggml.merges", 8, words))
    return b"GGUF" + struct.pack("=IQQ", 3, 0, len(pairs)) + b"".join(pairs)


def _median_ms(path: Path) -> float:
    times_ms = []
    for _ in range(_RUNS):
        started = time.perf_counter()
        facts = read_gguf(path)
        times_ms.append((time.perf_counter() - started) * 1000)
        assert facts.vocabulary_size == _TOKENS
    return statistics.median(times_ms)


def main() -> None:
    """Measure with scores and types only, and with as many merges as tokens."""
    with tempfile.TemporaryDirectory() as directory:
        for has_merges in (False, True):
            path = Path(directory) / "model.gguf"
            path.write_bytes(_header(has_merges=has_merges))
            label = "with merges" if has_merges else "tokens, scores, types"
            print(f"{label}: {_median_ms(path):.1f} ms, {path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
