"""Facts from single keys: types, zeroes, arrays, absurd values, and the label of the quantization."""

from collections.abc import Mapping

import pytest

from gglib.core.errors import InvalidGgufError
from gglib.core.models import GgufFacts
from gglib.gguf.facts import interpret, is_wanted
from gglib.gguf.metadata import ArraySummary, Value
from gglib.gguf.tensors import TensorTotals

_NO_TENSORS = TensorTotals()


def _facts(more: Mapping[str, Value], tensors: TensorTotals = _NO_TENSORS) -> GgufFacts:
    metadata: dict[str, Value] = {"general.architecture": "llama", **more}
    assert all(is_wanted(key) for key in metadata)
    return interpret(metadata, tensors)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("llama.context_length", "4096"),
        ("llama.context_length", 4096.0),
        ("llama.context_length", True),
        ("llama.attention.head_count_kv", ArraySummary(count=3)),
        ("general.name", 7),
        ("general.type", 7),
        ("general.file_type", "Q4_0"),
        ("tokenizer.chat_template", ArraySummary(count=1)),
        ("tokenizer.ggml.tokens", "a b c"),
        ("split.count", "3"),
    ],
)
def test_wanted_key_of_the_wrong_type_is_refused(key: str, value: Value) -> None:
    """A wanted key with a value of another type makes the file invalid, and is named."""
    with pytest.raises(InvalidGgufError, match=f"its key '{key}' does not hold"):
        _facts({key: value})


@pytest.mark.parametrize("value", [-1, 2**32, 2**64 - 1])
def test_impossible_count_is_refused(value: int) -> None:
    """A count below zero, or above what the engine keeps in 32 bits, is refused."""
    with pytest.raises(InvalidGgufError, match="a value that no model can have"):
        _facts({"llama.context_length": value})


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, None),
        (ArraySummary(count=0), None),
        (ArraySummary(count=2, numbers=(4, 8)), 8),
        (2**32 - 1, 2**32 - 1),
    ],
)
def test_counts(value: Value, expected: int | None) -> None:
    """Zero and an empty list mean unknown; of one number per layer, the largest is used."""
    assert _facts({"llama.attention.head_count_kv": value}).head_count_kv == expected


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("llama.ssm.state_size", "many"),
        ("llama.attention.sliding_window", 1.5),
        ("llama.expert_used_count", -3),
        ("llama.feed_forward_length", ArraySummary(count=1, numbers=(2**40,))),
        ("tokenizer.ggml.merges", 7),
    ],
)
def test_invalid_optional_value_is_unknown(key: str, value: Value) -> None:
    """An invalid value of an optional key does not make a file invalid: it is unknown."""
    facts = _facts({key: value})

    assert facts.layers == GgufFacts(architecture="llama").layers
    assert facts.merge_count is None


def test_window_patterns_come_in_two_forms() -> None:
    """A pattern of windows is one number, or a switch for each layer, which some writers write as numbers."""
    switches = ArraySummary(count=2, numbers=(1, 0), is_boolean=True)
    key = "llama.attention.sliding_window_pattern"

    assert _facts({key: 6}).layers.window_period == 6
    for value in (switches, ArraySummary(count=2, numbers=(1, 0))):
        layers = _facts({key: value}).layers
        assert (layers.window_layers, layers.window_period) == ((True, False), None)
    assert _facts({"llama.attention.sliding_window": 0}).layers.window == 0


def test_keys_of_another_architecture_are_not_taken() -> None:
    """Only keys with the prefix of the file's own architecture are used."""
    assert _facts({"clip.vision.block_count": 24, "gemma.context_length": 7}).block_count is None


@pytest.mark.parametrize("architecture", ["", "two words", "naïve", "a\x1b[31m", "x" * 65])
def test_architecture_has_to_be_a_name(architecture: str) -> None:
    """An architecture that is empty, long, or not plain ASCII is refused."""
    with pytest.raises(InvalidGgufError, match="architecture"):
        interpret({"general.architecture": architecture}, _NO_TENSORS)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Qwen 3  0.6B\n", "Qwen 3 0.6B"),
        ("red \x1b[31mtext\u202e", "red [31mtext"),
        ("x" * 300, "x" * 256),
        (" \t", None),
    ],
)
def test_name_is_one_safe_line(name: str, expected: str | None) -> None:
    """A name is shown on terminals: one line, no control characters, no endless text."""
    assert _facts({"general.name": name}).name == expected


@pytest.mark.parametrize(
    ("file_type", "expected"),
    [(15, "Q4_K_M"), (15 | 1024, "Q4_K_M"), (0, "F32"), (999, "Q6_K"), (None, "Q6_K")],
)
def test_quantization_label(file_type: int | None, expected: str) -> None:
    """The file's type names the quantization, guessed or not; else the type of most bytes does."""
    tensors = TensorTotals(element_count=3, bytes_by_type={0: 10, 14: 200, 12: 100})
    metadata: dict[str, Value] = {} if file_type is None else {"general.file_type": file_type}

    assert _facts(metadata, tensors).quantization == expected


def test_vocabulary_without_tokens_has_the_size_the_header_says() -> None:
    """The vocabulary size is that of the tokens, else the value of another key."""
    assert _facts({"llama.vocab_size": 10}).vocabulary_size == 10
    tokens = ArraySummary(count=12)
    assert _facts({"llama.vocab_size": 10, "tokenizer.ggml.tokens": tokens}).vocabulary_size == 12


@pytest.mark.parametrize(
    ("split", "elements", "expected"),
    [({}, 5, 5), ({}, 0, 70), ({"split.no": 0, "split.count": 2}, 5, 70)],
)
def test_parameter_count(split: dict[str, Value], elements: int, expected: int) -> None:
    """The tensors are counted; where the file has none or only some, the header's number stands."""
    facts = _facts({"general.parameter_count": 70, **split}, TensorTotals(element_count=elements))

    assert facts.parameter_count == expected


@pytest.mark.parametrize(
    "split",
    [{"split.count": 3}, {"split.count": 3, "split.no": 3}, {"split.count": 70_000, "split.no": 1}],
)
def test_impossible_split_is_refused(split: dict[str, Value]) -> None:
    """A shard without a valid index is rejected."""
    with pytest.raises(InvalidGgufError, match="which shard"):
        _facts(split)


def test_split_into_one_is_no_split() -> None:
    """A model split into one file is a model in one file."""
    assert _facts({"split.count": 1, "split.no": 0}).split_count is None


@pytest.mark.parametrize(("value", "kind"), [("adapter", "adapter"), ("model", "model"), ("", None)])
def test_kind_of_the_file_is_read(value: str, kind: str | None) -> None:
    """The kind is the file's ``general.type``, or None."""
    assert _facts({"general.type": value}).kind == kind
