"""Repositories of the hub as responses."""

from dataclasses import replace

from gglib.core.hub.repository import HubFile, HubRepository
from gglib.core.hub.search_results import RepositoryResult, SearchResult, VariantResult
from gglib.core.memory import Fit, GpuMemory, MachineMemory, MemoryNeed
from gglib.library.variants.find import find_variants
from gglib.proxy.routes import responses

ESCAPE = "\x1b"
REPOSITORY = HubRepository(
    repo="owner/coder",
    revision="c0ffee",
    files=(
        HubFile(name="c-Q4_K_M.gguf", size_bytes=9, sha256="ab"),
        HubFile(name="README.md", size_bytes=1),
        HubFile(name=f"../{ESCAPE}.gguf", size_bytes=1),
    ),
    licence=f"mit{ESCAPE}",
    tags=(f"t{ESCAPE}",),
)
VARIANTS = find_variants(REPOSITORY.files)
NEED = MemoryNeed(weights_bytes=9, kv_bytes=1, compute_bytes=2, overhead_bytes=3, is_exact=True)
RESULT = VariantResult(variant=VARIANTS.models[0], need=NEED, fit=Fit.FITS, slots=2)
FOUND = RepositoryResult(
    repository=REPOSITORY,
    variants=VARIANTS,
    results=(RESULT,),
    suggested=VARIANTS.models[0],
    memory=MachineMemory(
        total_bytes=64, available_bytes=None, gpus=(GpuMemory(name="G", total_bytes=8, free_bytes=7),)
    ),
    context=8192,
    architecture=f"llama{ESCAPE}",
    parameter_count=None,
    trained_context=4096,
    asked_revision="main",
)


def test_text_of_the_hub_is_escaped() -> None:
    """Labels and unsafe names may contain control characters; other values are passed on."""
    shown = responses.Repository.of(FOUND)
    assert ESCAPE not in f"{shown}"
    assert (shown.licence, shown.architecture) == ("mit\\x1b", "llama\\x1b")
    assert (shown.suggested, shown.context, shown.trained_context) == (VARIANTS.models[0].label, 8192, 4096)
    bare = replace(FOUND, suggested=None, architecture=None, repository=replace(REPOSITORY, licence=None))
    shown = responses.Repository.of(bare)
    assert (shown.suggested, shown.architecture, shown.licence) == (None, None, None)


def test_a_variant_has_its_target_and_its_need() -> None:
    """``pull`` is the target of a download; the need has its total."""
    (variant,) = responses.Repository.of(FOUND).variants
    assert variant.pull == RESULT.variant.target("owner/coder", "main")
    assert (variant.need.total_bytes, variant.need.kv_bytes, variant.slots) == (NEED.total_bytes, 1, 2)
    assert [(file.name, file.sha256) for file in variant.files] == [("c-Q4_K_M.gguf", "ab")]


def test_the_details_have_all_files() -> None:
    """A file of a variant has its label; an unsafe name is escaped."""
    shown = responses.ShownRepository.of(FOUND)
    assert [(file.name, file.label, file.unsafe) for file in shown.files] == [
        ("c-Q4_K_M.gguf", RESULT.variant.label, False),
        ("../\\x1b.gguf", None, True),
        ("README.md", None, False),
    ]
    assert (shown.memory.total_bytes, [gpu.free_bytes for gpu in shown.memory.gpus]) == (64, [7])


def test_a_search_has_the_memory_of_the_machine() -> None:
    """And the number of repositories that it left out."""
    result = SearchResult(repositories=(FOUND,), memory=FOUND.memory, left_out=3)
    shown = responses.SearchResult.of(result, "coder")
    assert (shown.query, shown.left_out, len(shown.repositories)) == ("coder", 3, 1)
    assert shown.memory == responses.ShownRepository.of(FOUND).memory
