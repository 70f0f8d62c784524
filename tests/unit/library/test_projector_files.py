"""The projector file beside a model's file."""

from pathlib import Path

import pytest

from gglib.core.errors import InvalidGgufError
from gglib.core.models import GgufFacts
from gglib.library.projector_files import checked_projector, projector_beside


@pytest.mark.parametrize(
    ("files", "model", "found"),
    [
        (["a-Q4_K_M.gguf", "mmproj-F16.gguf"], "a-Q4_K_M.gguf", "mmproj-F16.gguf"),
        (["a-Q4_K_M.gguf", "A-Q8_0.gguf", "mmproj-F32.gguf", "mmproj-F16.gguf"], "A-Q8_0.gguf", "mmproj-F16.gguf"),
        (["a.gguf", "b.gguf", "mmproj-F16.gguf"], "a.gguf", None),
        (["a.gguf", "b.gguf", "mmproj-b-F16.gguf"], "b.gguf", "mmproj-b-F16.gguf"),
        (["a.gguf", "b.gguf", "mmproj-b-F16.gguf"], "a.gguf", None),
        (["a-00001-of-00002.gguf", "a-00002-of-00002.gguf", "mmproj.gguf"], "a-00002-of-00002.gguf", "mmproj.gguf"),
        (["a.gguf"], "a.gguf", None),
    ],
)  # fmt: skip
def test_projector_of_a_file(tmp_path: Path, files: list[str], model: str, found: str | None) -> None:
    """The same projector that an import of the directory would take, for any shard."""
    for name in files:
        (tmp_path / name).touch()
    beside = projector_beside(tmp_path / model)
    assert (None if beside is None else beside.name) == found


def test_unreadable_directory_has_none(tmp_path: Path) -> None:
    """An unreadable directory does not prevent adding a model."""
    assert projector_beside(tmp_path / "gone" / "a.gguf") is None


@pytest.mark.parametrize(
    ("facts", "is_taken"),
    [
        (GgufFacts(architecture="clip"), True),
        (GgufFacts(architecture="clip", kind="mmproj"), True),
        (GgufFacts(architecture="qwen3vl", kind="mmproj"), True),
        (GgufFacts(architecture="llama"), False),
        (GgufFacts(architecture="llama", kind="adapter"), False),
    ],
)
def test_header_identifies_a_projector(tmp_path: Path, facts: GgufFacts, is_taken: bool) -> None:  # noqa: FBT001
    """The type in the header counts, and the architecture of older files."""
    path = tmp_path / "mmproj.gguf"
    path.touch()
    if is_taken:
        assert checked_projector(path, lambda _: facts) == path
    else:
        with pytest.raises(InvalidGgufError, match="it is a complete model"):
            checked_projector(path, lambda _: facts)


@pytest.mark.parametrize("name", ["mmproj-\udcff.gguf", "mmproj-\0.gguf"])
def test_projector_with_an_unusable_path_is_refused(tmp_path: Path, name: str) -> None:
    """The model would otherwise fail to load; the path is never written raw to the terminal."""
    with pytest.raises(InvalidGgufError, match=r"^mmproj-\S+ cannot be a model's projector: \w") as refused:
        checked_projector(tmp_path / name, lambda _: GgufFacts(architecture="clip"))
    str(refused.value).encode()
    assert str(refused.value).isprintable()
