"""The variants of a model in a repository: their sizes, labels and pull targets."""

import pytest

from gglib.core.hub.repository import HubFile
from gglib.core.hub.variants import Variant


def variant(*names: str, quantization: str | None, is_unique: bool = True) -> Variant:
    """Return a variant of files of 10, 11, 12 … bytes."""
    files = tuple(HubFile(name=name, size_bytes=size) for size, name in enumerate(names, start=10))
    return Variant(quantization=quantization, files=files, is_unique=is_unique)


def test_a_sharded_model_is_as_large_as_its_shards_and_begins_with_the_first() -> None:
    """The first shard has the header; the stem has neither shard number nor ending."""
    sharded = variant(*(f"Q8/m-Q8_0-0000{number}-of-00003.gguf" for number in (1, 2, 3)), quantization="Q8_0")
    assert sharded.size_bytes == 33
    assert sharded.first.name == "Q8/m-Q8_0-00001-of-00003.gguf"
    assert sharded.stem == "Q8/m-Q8_0"


@pytest.mark.parametrize(
    ("quantization", "is_unique", "label", "target"),
    [
        ("Q8_0", True, "Q8_0", "o/n:Q8_0"),
        ("Q8_0", False, "d/m-Q8_0", "o/n/d/m-Q8_0.gguf"),
        (None, True, "d/m-Q8_0", "o/n/d/m-Q8_0.gguf"),
        (None, False, "d/m-Q8_0", "o/n/d/m-Q8_0.gguf"),
    ],
)
def test_a_unique_quantization_names_a_variant(
    quantization: str | None, label: str, target: str, *, is_unique: bool
) -> None:
    """Else its file does; a requested revision is part of the target."""
    found = variant("d/m-Q8_0.gguf", quantization=quantization, is_unique=is_unique)
    assert found.label == label
    assert found.target("o/n") == target
    assert found.target("o/n", "v1") == f"{target}@v1"
