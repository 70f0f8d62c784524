"""Facts from the first bytes of a file: those that are complete, and an error if there are none."""

import struct
from collections.abc import Callable
from typing import Any

import pytest

from gglib.core.errors import InvalidGgufError
from gglib.gguf import read_partial_facts


@pytest.fixture
def whole(raw: Any) -> bytes:
    """Give a file with a key behind its vocabulary, and two tensors."""
    words = b"".join(raw.text(f"w{number}") for number in range(50))
    pairs = [
        raw.string("general.architecture", "llama"),
        raw.number("llama.block_count", 2),
        raw.array("llama.attention.head_count_kv", 5, 2, struct.pack("=ii", 2, 4)),
        raw.array("tokenizer.ggml.tokens", 8, 50, words),
        raw.string("tokenizer.chat_template", "{{ messages }}"),
    ]
    content: bytes = raw.header(pairs, [raw.tensor("a", (4, 8)), raw.tensor("b", (8,), 0, 128)], data_bytes=0)
    return content


def test_whole_header_is_read_like_a_file(whole: bytes) -> None:
    """With the whole header the facts are those of the file, although its weights are missing."""
    facts = read_partial_facts(whole)

    assert (facts.block_count, facts.vocabulary_size, facts.parameter_count) == (2, 50, 40)
    assert facts.layers.head_counts_kv == (2, 4)
    assert facts.chat_template == "{{ messages }}"


def test_facts_after_the_cut_are_unknown(whole: bytes) -> None:
    """A cut in the vocabulary keeps its size; a cut before it keeps the keys before."""
    in_words = read_partial_facts(whole[: whole.index(b"w30")])
    before = read_partial_facts(whole[: whole.index(b"tokenizer.ggml.tokens")])

    assert (in_words.vocabulary_size, in_words.chat_template, in_words.parameter_count) == (50, None, None)
    assert (before.block_count, before.vocabulary_size) == (2, None)


def test_cut_in_the_tensors_leaves_their_number_unknown(whole: bytes) -> None:
    """Weights are counted only if the whole list was read."""
    facts = read_partial_facts(whole[:-1])

    assert facts.chat_template == "{{ messages }}"
    assert facts.parameter_count is None
    assert facts.type_bytes == ()


def test_every_cut_is_read_or_refused(whole: bytes) -> None:
    """More bytes give more facts; they are rejected only if they end before the architecture."""
    named = whole.index(b"llama") + len(b"llama")
    for length in range(len(whole) + 1):
        if length < named:
            with pytest.raises(InvalidGgufError):
                read_partial_facts(whole[:length])
        else:
            assert read_partial_facts(whole[:length]).architecture == "llama"


@pytest.mark.parametrize(
    ("start", "words"),
    [
        (b"", "it is empty"),
        (b"<!DOCTYPE html>", "it is a web page"),
        (b"GGUF" + struct.pack("=IQQ", 1, 0, 0), "version 1"),
        (b"GGUF" + struct.pack("=IQQ", 3, 0, 2**40), "metadata values"),
        (b"GGUF" + struct.pack("=IQQ", 3, 0, 0), "architecture"),
        (b"GGUF" + struct.pack("=IQQ", 3, 0, 9), "architecture"),
    ],
)
def test_invalid_header_is_refused(start: bytes, words: str) -> None:
    """Bytes that are no GGUF file, or that end before the architecture, are refused with the reason."""
    with pytest.raises(InvalidGgufError, match=words):
        read_partial_facts(start)


def test_absurd_vocabulary_size_is_unknown(raw: Any) -> None:
    """A list that no file could hold leaves its size unknown."""
    pairs = [raw.string("general.architecture", "llama"), raw.array("tokenizer.ggml.tokens", 8, 2**60, b"")]

    assert read_partial_facts(raw.header(pairs, data_bytes=0)).vocabulary_size is None


def test_errors_before_the_cut_are_refused(raw: Any, file_of: Callable[[bytes], Any]) -> None:
    """Only the missing end is allowed: a duplicate key is not."""
    pairs = [raw.string("general.architecture", "llama"), raw.number("a", 1), raw.number("a", 1)]

    with pytest.raises(InvalidGgufError, match="twice"):
        read_partial_facts(raw.header(pairs)[:-1024])
