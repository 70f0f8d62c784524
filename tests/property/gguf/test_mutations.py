"""Properties: for any content, the reader returns facts or raises its one error."""

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gglib.core.errors import InvalidGgufError
from gglib.core.models import GgufFacts
from gglib.gguf import read_gguf

_SETTINGS = settings(
    max_examples=2 * settings().max_examples,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
_LENGTHS = st.one_of(
    st.integers(0, 2**64 - 1), st.sampled_from([0, 1, 2**16, 2**31, 2**32 - 1, 2**63 - 1, 2**63, 2**64 - 1])
)


@pytest.fixture(scope="module")
def good(raw: Any) -> bytes:
    """Give a header with a value of each kind."""
    pairs = [
        raw.string("general.architecture", "llama"),
        raw.string("general.name", "Tiny"),
        raw.number("llama.context_length", 2048),
        raw.array("llama.attention.head_count_kv", 5, 2, struct.pack("=ii", 2, 4)),
        raw.number("llama.rope.freq_base", 1.5, 6, "f"),
        raw.number("llama.big", 5, 12, "d"),
        raw.array("tokenizer.ggml.tokens", 8, 3, raw.text("a") + raw.text("bc") + raw.text("")),
        raw.array("tokenizer.ggml.scores", 6, 3, struct.pack("=fff", 0, 1, 2)),
        raw.string("tokenizer.chat_template", "{% if tools %}{{ tools }}{% endif %}<think>"),
        raw.number("split.count", 1, 2, "H"),
    ]
    content: bytes = raw.header(pairs, [raw.tensor("a", (4, 8)), raw.tensor("b", (8,), 1, 128)])
    return content


def _read(path: Path, content: bytes) -> GgufFacts | None:
    path.write_bytes(content)
    try:
        facts = read_gguf(path)
    except InvalidGgufError as error:
        refusal = str(error)
    else:
        _check_fits_the_catalogue(facts)
        return facts
    assert refusal.isprintable()
    assert len(refusal) < 300
    return None


def _check_fits_the_catalogue(facts: GgufFacts) -> None:
    """Check that an accepted result fits the catalogue's signed 64-bit columns."""
    for name in GgufFacts.__slots__:
        value = getattr(facts, name)
        assert not isinstance(value, int) or 0 <= value < 2**63


def test_unmodified_header_is_read(good: bytes, tmp_path: Path) -> None:
    """The header that the properties start from is a good one."""
    facts = _read(tmp_path / "m.gguf", good)

    assert facts is not None
    assert (facts.trained_context, facts.vocabulary_size, facts.parameter_count) == (2048, 3, 40)
    assert facts.capabilities.names() == ("chat", "tools", "reasoning")


@_SETTINGS
@given(data=st.data())
def test_changed_bytes_are_read_or_refused(data: st.DataObject, good: bytes, tmp_path: Path) -> None:
    """A header with some bytes changed is read, or refused with the one error."""
    content = bytearray(good)
    changes = st.lists(st.tuples(st.integers(0, len(good) - 1), st.integers(0, 255)), min_size=1, max_size=8)
    for place, byte in data.draw(changes):
        content[place] = byte
    _read(tmp_path / "m.gguf", bytes(content))


@_SETTINGS
@given(data=st.data(), length=_LENGTHS)
def test_inflated_lengths_are_read_or_refused(
    data: st.DataObject, length: int, good: bytes, tmp_path: Path
) -> None:
    """A header with any eight bytes replaced by an absurd length is read, or refused with the one error."""
    place = data.draw(st.integers(0, len(good) - 8))
    _read(tmp_path / "m.gguf", good[:place] + struct.pack("=Q", length) + good[place + 8 :])


def test_every_truncation_of_the_header_is_refused(
    good: bytes, tmp_path: Path, file_of: Callable[[bytes], Path]
) -> None:
    """A file truncated at any length is rejected."""
    needed = len(good) - 1024  # the zeroes behind the tensor list
    needed = -(-needed // 32) * 32 + 128 + 16

    assert _read(tmp_path / "m.gguf", good[:needed]) is not None
    for length in range(needed):
        assert _read(tmp_path / "m.gguf", good[:length]) is None


@_SETTINGS
@given(tail=st.binary(max_size=400), counts=st.tuples(st.integers(0, 4), st.integers(0, 8)))
def test_arbitrary_bytes_are_read_or_refused(tail: bytes, counts: tuple[int, int], tmp_path: Path) -> None:
    """Arbitrary bytes behind a plausible preamble are read, or refused with the one error."""
    _read(tmp_path / "m.gguf", b"GGUF" + struct.pack("=IQQ", 3, *counts) + tail)


@_SETTINGS
@given(text=st.binary(max_size=60))
def test_text_that_is_not_utf8_is_replaced(text: bytes, raw: Any, tmp_path: Path) -> None:
    """Any bytes may be in place of text; invalid text is replaced, not refused."""
    pairs = [raw.string("general.architecture", "llama"), raw.string("tokenizer.chat_template", text)]
    facts = _read(tmp_path / "m.gguf", raw.header(pairs))

    assert facts is not None
    assert (facts.chat_template or "") == text.decode("utf-8", errors="replace")
