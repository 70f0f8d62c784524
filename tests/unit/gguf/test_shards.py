"""Split models: all files are found from any of them, and the model is counted over all."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gglib.core.errors import InvalidGgufError
from gglib.core.models import GgufFacts
from gglib.gguf import find_shards, read_gguf, read_model


@pytest.fixture
def shards(tmp_path: Path, write_model: Callable[..., Path]) -> list[Path]:
    """Give a model that the reference writer split into three files of one tensor each."""
    write_model(
        "llama",
        setup=lambda writer: writer.add_context_length(512),
        tensors={"a": (8,), "b": (4, 4), "c": (2, 32)},
        split_max_tensors=1,
    )
    return sorted(tmp_path.glob("model-*.gguf"))


def test_all_shards_are_found_from_any(shards: list[Path]) -> None:
    """From each of three shards the same three are found, in order."""
    assert [shard.name for shard in shards] == [f"model-0000{n}-of-00003.gguf" for n in (1, 2, 3)]
    for index, shard in enumerate(shards):
        facts = read_gguf(shard)
        assert (facts.split_index, facts.split_count) == (index, 3)
        assert find_shards(shard, facts) == tuple(shards)


def test_one_shard_does_not_know_the_parameter_count(shards: list[Path]) -> None:
    """A shard has no parameter count, since it has only its own tensors; later shards have no architecture."""
    assert read_gguf(shards[0]).parameter_count is None
    assert read_gguf(shards[0]).architecture == "llama"
    assert read_gguf(shards[1]).architecture == ""


def test_model_is_read_whole_from_any_shard(shards: list[Path]) -> None:
    """The facts of the first shard, counted over all, whichever shard is named."""
    for shard in shards:
        model = read_model(shard)
        assert model.paths == tuple(shards)
        assert model.size_bytes == sum(path.stat().st_size for path in shards)
        assert (model.facts.parameter_count, model.facts.quantization) == (8 + 16 + 64, "F32")
        assert (model.facts.architecture, model.facts.trained_context) == ("llama", 512)


def test_model_in_one_file(write_model: Callable[..., Path]) -> None:
    """A model in one file is that file."""
    path = write_model("llama")
    facts = read_gguf(path)

    assert find_shards(path, facts) == (path,)
    assert read_model(path).facts == facts
    assert read_model(path).size_bytes == path.stat().st_size


def test_missing_shard_is_named(shards: list[Path]) -> None:
    """A shard that is not there is named, without its directory."""
    shards[1].unlink()

    with pytest.raises(
        InvalidGgufError, match=r"^incomplete: the shard 'model-00002-of-00003\.gguf' is missing$"
    ):
        read_model(shards[2])


def test_directory_in_place_of_a_shard_is_no_shard(shards: list[Path]) -> None:
    """A directory with a shard's name is not taken for the shard."""
    shards[0].unlink()
    shards[0].mkdir()

    with pytest.raises(InvalidGgufError, match=r"00001-of-00003\.gguf' is missing"):
        read_model(shards[1])


def test_shard_that_cannot_be_looked_up_is_missing() -> None:
    """A name that the system cannot look up is reported as a missing shard."""
    path = Path("x" * 5000) / "m-00001-of-00002.gguf"

    with pytest.raises(InvalidGgufError, match="is missing"):
        find_shards(path, GgufFacts(architecture="llama", split_index=0, split_count=2))


@pytest.mark.parametrize("name", ["model.gguf", "model-00002-of-00003.gguf", "model-1-of-3.gguf"])
def test_renamed_shard_has_the_required_name_in_its_error(name: str) -> None:
    """A shard with a wrong file name is rejected; the message has the required suffix."""
    facts = GgufFacts(architecture="llama", split_index=0, split_count=3)

    with pytest.raises(InvalidGgufError, match=r"shard 1 of 3.*'-00001-of-00003\.gguf'"):
        find_shards(Path(name), facts)


def test_broken_shard_is_named(shards: list[Path]) -> None:
    """An error in another shard names that shard."""
    shards[2].write_bytes(b"nonsense")

    with pytest.raises(
        InvalidGgufError, match=r"'model-00003-of-00003\.gguf' cannot be used: not a GGUF file"
    ):
        read_model(shards[0])


def test_shard_of_another_place_is_refused(shards: list[Path]) -> None:
    """A file that has a shard's name but is another shard is refused."""
    shards[2].write_bytes(shards[1].read_bytes())

    with pytest.raises(InvalidGgufError, match=r"'model-00003-of-00003\.gguf' is not shard 3 of 3"):
        read_model(shards[0])


def test_links_are_not_resolved(shards: list[Path], tmp_path: Path) -> None:
    """Shards that are links to files of other names, as in a download cache, are found by their own names."""
    for shard in shards:
        blob: Any = tmp_path / f"blob{shard.name[10]}"
        shard.rename(blob)
        shard.symlink_to(blob)

    assert read_model(shards[1]).paths == tuple(shards)


@pytest.mark.parametrize(
    ("classifier", "is_reranker"), [("cls.output.weight", True), ("output.weight", False)]
)
def test_a_classifier_in_any_shard_counts(
    tmp_path: Path,
    write_model: Callable[..., Path],
    classifier: str,
    is_reranker: bool,  # noqa: FBT001
) -> None:
    """The tensors of all shards decide whether a model without a pooling type reranks."""
    write_model("qwen3", tensors={"a": (8,), classifier: (4, 4)}, split_max_tensors=1)
    (first, _) = sorted(tmp_path.glob("model-*.gguf"))
    facts = read_model(first).facts
    assert facts.capabilities.rerank is is_reranker
    assert facts.pooling == ("rank" if is_reranker else None)
