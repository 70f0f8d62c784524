"""The files of a repository in a search result."""

import pytest

from gglib.core.file_names import safe_path, safe_repo
from gglib.core.gguf_names import FileKind
from gglib.core.hub.repository import HubFile, HubRepository
from gglib.core.hub.search_results import RepositoryResult, VariantResult, is_safe
from gglib.core.hub.variants import Variant, Variants
from gglib.core.memory import Fit, MachineMemory, MemoryNeed

NEED = MemoryNeed(weights_bytes=1, kv_bytes=1, compute_bytes=1, overhead_bytes=1, is_exact=True)


def result_of(*names: str) -> VariantResult:
    """Return a variant of these files that fits."""
    files = tuple(HubFile(name=name, size_bytes=1) for name in names)
    return VariantResult(variant=Variant(quantization=None, files=files), need=NEED, fit=Fit.FITS, slots=1)


def repository(names: tuple[str, ...], *results: VariantResult) -> RepositoryResult:
    """Return a repository with these files, of which the results are shown."""
    return RepositoryResult(
        repository=HubRepository(
            repo="o/n", revision="c0ffee", files=tuple(HubFile(name=name, size_bytes=1) for name in names)
        ),
        variants=Variants(),
        results=results,
        suggested=None,
        memory=MachineMemory(total_bytes=None, available_bytes=None),
        context=4096,
        architecture=None,
        parameter_count=None,
        trained_context=None,
    )


def test_each_file_is_listed_once_variants_first() -> None:
    """Variants keep the order of the results and of their shards; the other files come by name."""
    shards = ("z-00001-of-00002.gguf", "z-00002-of-00002.gguf")
    small, large = result_of("y.gguf"), result_of(*shards)
    listed = repository(
        ("README.md", shards[1], "mmproj.gguf", shards[0], "LICENSE", "y.gguf"), small, large
    ).files()
    assert [(entry.file.name, entry.result) for entry in listed] == [
        ("y.gguf", small),
        (shards[0], large),
        (shards[1], large),
        ("LICENSE", None),
        ("README.md", None),
        ("mmproj.gguf", None),
    ]
    assert [entry.kind for entry in listed[:1] + listed[-1:]] == [FileKind.MODEL, FileKind.PROJECTOR]


def test_a_file_whose_name_is_no_path_here_is_listed_as_unsafe() -> None:
    """It is shown, but cannot be pulled."""
    listed = repository(("../m.gguf", "m.gguf")).files()
    assert [(entry.file.name, entry.is_unsafe) for entry in listed] == [
        ("../m.gguf", True),
        ("m.gguf", False),
    ]


@pytest.mark.parametrize(
    ("name", "as_path", "as_repo"), [("a/b", True, True), ("a", True, False), ("../b", False, False)]
)
def test_a_name_is_safe_by_its_rule(name: str, *, as_path: bool, as_repo: bool) -> None:
    """A repository needs an owner, a file does not."""
    assert is_safe(name, safe_path) is as_path
    assert is_safe(name, safe_repo) is as_repo
