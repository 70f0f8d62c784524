"""Headers of sixteen architectures, as converters write them, through all three readers."""

from pathlib import Path

import pytest
from bench.headers import REAL_HEADERS, RealHeader, parameter_count, write_header

from gglib.core.models import GgufFacts
from gglib.gguf import read_gguf, read_model, read_partial_facts
from gglib.library.fit.estimate import estimate

_START_BYTES = 256 * 1024

each = pytest.mark.parametrize("header", REAL_HEADERS, ids=lambda header: header.architecture)


def _check_counts(facts: GgufFacts, header: RealHeader) -> None:
    """Compare the facts from before the end of the vocabulary."""
    assert facts.architecture == header.architecture
    assert facts.name == f"Real {header.architecture}"
    assert (facts.block_count, facts.embedding_length) == (header.blocks, header.width)
    assert facts.vocabulary_size == header.vocabulary
    for name, expected in header.facts.items():
        assert getattr(facts, name) == expected, name
    for name, expected in header.layers.items():
        assert getattr(facts.layers, name) == expected, name


@each
def test_facts_of_a_real_header(header: RealHeader, tmp_path: Path) -> None:
    """Every fact of a whole file is what the converter wrote."""
    path = write_header(tmp_path / "model.gguf", header)

    facts = read_gguf(path)

    _check_counts(facts, header)
    kind = header.tensor_type.name
    assert facts.parameter_count == parameter_count(header)
    assert facts.quantization == header.file_type.name.removeprefix("MOSTLY_").removeprefix(
        "ALL_"
    ).removesuffix("_MOE")
    assert facts.merge_count == (header.merges or None)
    assert facts.embedding_type == kind
    assert [name for name, _ in facts.type_bytes] == [kind]
    assert facts.has_output == header.has_output
    assert facts.chat_template is not None
    assert facts.capabilities.embedding == (header.architecture == "nomic-bert")
    assert facts.capabilities.tools != facts.capabilities.embedding

    model = read_model(path)
    assert model.facts == facts
    assert model.size_bytes == path.stat().st_size


@each
def test_facts_of_the_start_of_a_real_header(header: RealHeader, tmp_path: Path) -> None:
    """The first quarter of a megabyte has the shape, and the size of a vocabulary that continues after it."""
    with write_header(tmp_path / "model.gguf", header).open("rb") as file:
        facts = read_partial_facts(file.read(_START_BYTES))

    _check_counts(facts, header)
    assert facts.quantization is not None
    whole = estimate(read_gguf(tmp_path / "model.gguf"), weights_bytes=10**9, context=8192, slots=1)
    part = estimate(facts, weights_bytes=10**9, context=8192, slots=1)
    assert part.is_exact
    assert (part.kv_bytes, part.compute_bytes) == (whole.kv_bytes, whole.compute_bytes)


@each
def test_every_architecture_has_an_exact_estimate(header: RealHeader, tmp_path: Path) -> None:
    """Each header has the facts for a memory estimate."""
    facts = read_gguf(write_header(tmp_path / "model.gguf", header, most_words=300))

    assert estimate(facts, weights_bytes=10**9, context=4096, slots=1).is_exact
