"""What the reader refuses, with which errors, and its bounds."""

import os
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gglib.core.errors import InvalidGgufError
from gglib.gguf import read_gguf
from gglib.gguf.stream import MAX_HEADER_BYTES, MAX_STRINGS

FileOf = Callable[[bytes], Path]


def _refusal(path: Path) -> str:
    with pytest.raises(InvalidGgufError) as caught:
        read_gguf(path)
    message = str(caught.value)
    assert str(path) not in message
    assert message.isprintable()
    return message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a GGUF file: it is empty"),
        (b"GG", "not a GGUF file: it starts with 'GG'"),
        (b"XXXX" + bytes(60), "not a GGUF file: it starts with 'XXXX'"),
        (bytes(64), "not a GGUF file: it starts with the bytes 00 00 00 00"),
        (b"\xc3\xa4\n!" + bytes(60), "not a GGUF file: it starts with the bytes c3 a4 0a 21"),
        (b"GGUF", "broken or incomplete: its header runs past the end of the file"),
        (b"GGUF" + struct.pack("=I", 3), "broken or incomplete: its header runs past the end of the file"),
        (b"GGUF" + struct.pack("=IQQ", 1, 0, 0), "GGUF version 1, of which only 2 and 3 can be used"),
        (b"GGUF" + struct.pack("=IQQ", 3, 0, 0), "its header does not name the model's architecture"),
    ],
)
def test_file_that_is_no_model_is_named(content: bytes, message: str, file_of: FileOf) -> None:
    """A file that is no GGUF model is rejected with one sentence that says what it is."""
    assert _refusal(file_of(content)) == message


def test_missing_file_has_the_error_of_the_system(tmp_path: Path) -> None:
    """A missing file is refused with the system's reason and without its path."""
    assert _refusal(tmp_path / "none.gguf") == "cannot be read: No such file or directory"


def test_directory_is_refused(tmp_path: Path) -> None:
    """A directory is refused with the system's reason."""
    assert _refusal(tmp_path) == "cannot be read: Is a directory"


def test_pipe_is_refused_without_waiting_for_a_writer(tmp_path: Path) -> None:
    """A named pipe without a writer is rejected at once."""
    path = tmp_path / "pipe.gguf"
    os.mkfifo(path)

    assert _refusal(path) == "cannot be read: it is not a regular file"


def test_impossible_name_is_refused() -> None:
    """A path with a NUL in it, which no system call takes, is refused like an unreadable file."""
    with pytest.raises(InvalidGgufError, match="no file can have this name"):
        read_gguf(Path("a\0b"))


def test_file_without_tensors_is_a_model_of_unknown_size(raw: Any, file_of: FileOf) -> None:
    """A file with metadata alone is read; it has no parameter count and no quantization."""
    facts = read_gguf(file_of(raw.header([raw.string("general.architecture", "llama")], data_bytes=0)))

    assert (facts.architecture, facts.parameter_count, facts.quantization) == ("llama", None, None)


def test_truncated_download_is_detected(raw: Any, file_of: FileOf) -> None:
    """A file that ends before its last tensor is rejected, with the actual and the needed size."""
    tensors = [raw.tensor("a", (32,)), raw.tensor("b", (32,), offset=128)]
    content = raw.header([raw.string("general.architecture", "llama")], tensors, data_bytes=0)
    start = -(-len(content) // 32) * 32
    whole = content.ljust(start + 256, b"\0")

    assert read_gguf(file_of(whole)).parameter_count == 64
    assert (
        _refusal(file_of(whole[:-1]))
        == f"incomplete: it has {start + 255} of the {start + 256} bytes that it needs"
    )


def test_alignment_moves_the_tensor_data(raw: Any, file_of: FileOf) -> None:
    """The file's own alignment counts when its size is checked."""
    pairs = [raw.string("general.architecture", "llama"), raw.number("general.alignment", 4096)]
    content = raw.header(pairs, [raw.tensor("a", (32,))], data_bytes=0)

    assert "of the 4224 bytes" in _refusal(file_of(content.ljust(4223, b"\0")))
    assert read_gguf(file_of(content.ljust(4224, b"\0"))).parameter_count == 32


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([("number", "general.alignment", 48)], "its alignment of 48 bytes is not a power of two"),
        ([("string", "a", "x"), ("string", "a", "y")], "its header gives the key 'a' twice"),
        ([("array", "a", 9, 0, b"")], "its header holds an array of arrays"),
        ([("array", "a", 77, 0, b"")], "its header holds a value of the unknown type 77"),
        ([("number", "a", 1, 13)], "its header holds a value of the unknown type 13"),
        ([("number", "llama.context_length", 1, 99)], "its header holds a value of the unknown type 99"),
        ([("string", "k" * 1025, "")], "a metadata key has 1025 bytes, more than the 1024"),
        (
            [("string", "tokenizer.chat_template", "x" * (1024**2 + 1))],
            "'tokenizer.chat_template' has 1048577",
        ),
    ],
)
def test_broken_metadata_is_named(
    pairs: list[tuple[Any, ...]], message: str, raw: Any, file_of: FileOf
) -> None:
    """Metadata that the engine would refuse, or that no model needs, is refused with the reason."""
    packed = [getattr(raw, kind)(*values) for kind, *values in pairs]

    assert message in _refusal(file_of(raw.header([raw.string("general.architecture", "llama"), *packed])))


@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        ({"dims": (1,) * 5}, "its header holds a tensor of 5 dimensions"),
        ({"dims": (2**40, 2**40)}, "its header claims more weights than can be counted"),
    ],
)
def test_absurd_tensors_are_refused(tensor: dict[str, Any], message: str, raw: Any, file_of: FileOf) -> None:
    """A tensor that ggml could not hold is refused."""
    assert _refusal(file_of(raw.header([], [raw.tensor(**tensor)]))) == message


def test_sum_of_weights_is_capped(raw: Any, file_of: FileOf) -> None:
    """Tensors that can be counted one by one but not together are refused."""
    tensors = [raw.tensor(name, (2**62,)) for name in "ab"]

    assert "more weights than can be counted" in _refusal(file_of(raw.header([], tensors)))


def test_tensor_of_an_unknown_type_is_counted_but_not_measured(raw: Any, file_of: FileOf) -> None:
    """A type newer than this reader does not make a file unusable."""
    content = raw.header([raw.string("general.architecture", "llama")], [raw.tensor("a", (2**40,), kind=250)])
    facts = read_gguf(file_of(content))

    assert (facts.parameter_count, facts.quantization) == (2**40, None)


@pytest.mark.parametrize("count", [2**17 + 1, 2**32, 2**64 - 1])
def test_claimed_counts_are_checked(count: int, raw: Any, file_of: FileOf) -> None:
    """A header that claims more pairs, tensors or elements than its file can hold is refused at no cost."""
    architecture = raw.string("general.architecture", "llama")
    contents = [
        raw.header([architecture], pair_count=count),
        raw.header([architecture], tensor_count=count),
        raw.header([architecture, raw.array("tokenizer.ggml.tokens", 8, count, bytes(64))]),
        raw.header([architecture, raw.array("x", 12, count, bytes(64))]),
        raw.header([architecture, raw.array("tokenizer.ggml.tokens", 8, 4, raw.text("a")), _long(count)]),
        raw.header([architecture, raw.text("key") + struct.pack("=I", 8) + _long(count)]),
        raw.header([architecture, raw.text("general.name") + struct.pack("=I", 8) + _long(count)]),
        raw.header([architecture, _long(count)]),
        raw.header([architecture], [_long(count)]),
    ]

    tracemalloc.start()
    try:
        for content in contents:
            _refusal(file_of(content))
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak_bytes < 8 * 1024 * 1024


def test_last_string_of_a_file_has_to_be_whole(raw: Any, file_of: FileOf) -> None:
    """An unwanted string at the end of the file must not run past that end."""
    pairs = [raw.string("general.architecture", "llama"), raw.string("last", "x" * 40)]
    content = raw.header(pairs, data_bytes=0)

    assert read_gguf(file_of(content)).architecture == "llama"
    assert "runs past the end" in _refusal(file_of(content[:-1]))


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ({"tensor_count": 2**15 + 1}, "its header claims 32769 tensors, more than any model has"),
        ({"pair_count": 2**14 + 1}, "its header claims 16385 metadata values, more than any model has"),
    ],
)
def test_counts_that_the_file_could_hold_are_limited(
    counts: dict[str, int], message: str, raw: Any, file_of: FileOf
) -> None:
    """More tensors or pairs than any model has are refused, even where the file has room for them."""
    path = file_of(raw.header(**counts))
    os.truncate(path, 8 * 1024**2)

    assert _refusal(path) == message


def test_text_longer_than_the_file_is_a_broken_file(raw: Any, file_of: FileOf) -> None:
    """A wanted text that the file cannot hold is a broken file, not a large text."""
    content = raw.header([raw.text("general.name") + struct.pack("=I", 8) + _long(2**63)])

    assert "runs past the end" in _refusal(file_of(content))


def test_tensor_count_is_checked_before_the_tensors_are(raw: Any, file_of: FileOf) -> None:
    """A tensor count within the limit that the file has no room for is refused before any tensor is read."""
    content = raw.header([], [raw.tensor("a", (1,) * 5)], tensor_count=1000, data_bytes=0)

    assert "runs past the end" in _refusal(file_of(content))


def test_endless_header_is_refused(raw: Any, tmp_path: Path) -> None:
    """A header larger than any model needs is refused, even if the (sparse) file does hold it."""
    path = tmp_path / "sparse.gguf"
    path.write_bytes(raw.header([raw.array("x", 12, MAX_HEADER_BYTES // 8, b"")]))
    os.truncate(path, MAX_HEADER_BYTES * 4)

    assert _refusal(path) == "its header is larger than 134 MB, which no model needs"


def test_long_strings_are_skipped(raw: Any, file_of: FileOf) -> None:
    """Strings longer than a read window, in and out of arrays, are skipped to the right position."""
    long = raw.text(bytes(700_000))
    pairs = [
        raw.array("tokenizer.ggml.tokens", 8, 3, long + raw.text("") + long),
        raw.string("general.description", "x" * 600_000),
        raw.array("empty", 8, 0, b""),
        raw.string("general.architecture", "llama"),
    ]
    facts = read_gguf(file_of(raw.header(pairs)))

    assert (facts.architecture, facts.vocabulary_size) == ("llama", 3)


def test_large_vocabulary_is_counted_in_little_memory(raw: Any, file_of: FileOf) -> None:
    """A vocabulary of 256k tokens with scores and types is counted, and never held in memory."""
    size = 256_000
    words = b"".join(raw.text(f"token{number}") for number in range(size))
    pairs = [
        raw.array("tokenizer.ggml.tokens", 8, size, words),
        raw.array("tokenizer.ggml.scores", 6, size, bytes(4 * size)),
        raw.array("tokenizer.ggml.token_type", 5, size, bytes(4 * size)),
        raw.string("general.architecture", "llama"),
        raw.number("llama.context_length", 1024),
    ]
    path = file_of(raw.header(pairs))

    tracemalloc.start()
    try:
        facts = read_gguf(path)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert (facts.vocabulary_size, facts.trained_context) == (size, 1024)
    assert peak_bytes < 2 * 1024 * 1024


def test_file_that_shrinks_during_the_read_is_refused(raw: Any, tmp_path: Path) -> None:
    """A file truncated after its size was read is rejected as a short one."""
    from gglib.gguf.stream import HeaderStream

    path = tmp_path / "shrinking.gguf"
    path.write_bytes(bytes(100))
    with path.open("rb") as file:
        stream = HeaderStream(file, 100)
        os.truncate(path, 10)

        with pytest.raises(InvalidGgufError, match="runs past the end"):
            stream.take(50)


def _long(length: int) -> bytes:
    return struct.pack("=Q", length) + bytes(32)


def test_too_many_words_are_refused(raw: Any, file_of: Callable[[bytes], Path]) -> None:
    """Words are counted over all lists of a header: skipping them takes most of the time."""
    half = MAX_STRINGS // 2 + 1
    pairs = [
        raw.string("general.architecture", "llama"),
        raw.array("tokenizer.ggml.tokens", 8, half, bytes(8 * half)),
        raw.array("tokenizer.ggml.merges", 8, half, bytes(8 * half)),
    ]

    with pytest.raises(InvalidGgufError, match="more than 4194304 strings"):
        read_gguf(file_of(raw.header(pairs)))
