"""Decoding of responses into the values that the views show."""

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from gglib.cli.remote.decode import model_of, repository_of, search_result_of
from gglib.core.backends import Backend, CommandBackend, UrlBackend
from gglib.core.hub.repository import Gating, HubFile, HubRepository
from gglib.core.hub.search_results import RepositoryResult, SearchResult, VariantResult
from gglib.core.hub.variants import Variant, Variants
from gglib.core.memory import Fit, GpuMemory, MachineMemory, MemoryNeed
from gglib.core.models import ModelCapabilities, ModelSettings, ModelSource, ModelSummary
from gglib.core.priority import Priority
from gglib.proxy.routes import responses

MODEL = ModelSummary(
    id=3,
    name="m",
    aliases=("a",),
    description="d",
    architecture="llama",
    quantization="Q4_0",
    parameter_count=5,
    size_bytes=7,
    trained_context=9,
    capabilities=ModelCapabilities(chat=True),
    tags=("t",),
    settings=ModelSettings(
        context=8,
        idle_ttl_s=2.0,
        kind="chat",
        is_pinned=True,
        priority=Priority.BATCH,
        keep_conversations=False,
    ),
    source=ModelSource(origin="hub", repo="o/n", revision="c" * 40, file="f.gguf"),
    paths=(Path("/f.gguf"),),
    hashes=("h",),
    projector=Path("/p.gguf"),
    projector_sha256="ph",
    is_downloaded=True,
    chat_template_sha256="th",
    added_at=11,
    last_used_at=12,
)
MEMORY = MachineMemory(
    total_bytes=9, available_bytes=8, gpus=(GpuMemory(name="g", total_bytes=7, free_bytes=6),)
)
FILE = HubFile(name="m-Q4_0.gguf", size_bytes=5, sha256="s")
VARIANT = Variant(quantization="Q4_0", files=(FILE,))
TWINS = tuple(
    Variant(quantization="Q8_0", files=(HubFile(name=f"{name}-Q8_0.gguf", size_bytes=6),), is_unique=False)
    for name in "ab"
)
NEED = MemoryNeed(
    weights_bytes=1, kv_bytes=2, compute_bytes=3, overhead_bytes=4, left_behind_bytes=5, is_exact=True
)
RESULTS = tuple(VariantResult(variant=v, need=NEED, fit=Fit.TIGHT, slots=2) for v in (VARIANT, *TWINS))
REPOSITORY = RepositoryResult(
    repository=HubRepository(
        repo="o/n",
        revision="c",
        files=(FILE, *(twin.first for twin in TWINS)),
        downloads=1,
        likes=2,
        updated_at=3,
        licence="mit",
        gate=Gating.MANUAL,
        tags=("x",),
    ),
    variants=Variants(models=(VARIANT, *TWINS), incomplete=("i",), pieces=("p",), unsafe=("u",)),
    results=RESULTS,
    suggested=VARIANT,
    memory=MEMORY,
    context=4096,
    architecture="llama",
    parameter_count=5,
    trained_context=6,
)


def test_a_model_is_the_same_after_the_response() -> None:
    """All fields of the response arrive; unknown ones of a newer server are ignored."""
    fields = msgspec.to_builtins(responses.Model.of(MODEL, "ready")) | {"of_a_newer_server": 1}
    assert model_of(fields) == MODEL


def test_a_model_without_optional_fields_has_the_defaults() -> None:
    """For callers that may not see paths, and from an older server."""
    assert model_of(
        {"id": 1, "name": "m", "paths": None, "projector": None, "capabilities": ["levitation"]}
    ) == (ModelSummary(id=1, name="m"))


COMMAND = CommandBackend(
    argv=("serve", "{port}"),
    health_path="/ready",
    routes=("/v1/images/*",),
    stop_signal="INT",
    memory=(("ram", 5), ("gpu0", 7)),
    directory=Path("/srv"),
    start_timeout_s=9.0,
    slots=2,
    model="x",
)
URL = UrlBackend(base_url="http://box/v1", key_env="KEY", model="x", routes=("/v1/*",))


@pytest.mark.parametrize("backend", [COMMAND, URL, UrlBackend(base_url="http://box")])
def test_a_backend_is_the_same_after_the_response(backend: Backend) -> None:
    """For admins."""
    model = replace(MODEL, backend=backend)
    assert model_of(msgspec.to_builtins(responses.Model.of(model, None))) == model


@pytest.mark.parametrize(
    ("backend", "shown"),
    [
        (COMMAND, CommandBackend(argv=(), routes=("/v1/images/*",))),
        (URL, UrlBackend(base_url="", routes=("/v1/*",))),
    ],
)
def test_a_key_without_admin_rights_sees_the_routes_of_a_backend(backend: Backend, shown: Backend) -> None:
    """And neither words, address nor names."""
    response = responses.Model.of(replace(MODEL, backend=backend), None, is_for_admin=False)
    assert model_of(msgspec.to_builtins(response)).backend == shown


def test_a_search_result_is_the_same_after_the_response() -> None:
    """With labels of variants that share a quantization, and without the file list, which a search has not."""
    sent = SearchResult(repositories=(REPOSITORY,), memory=MEMORY, left_out=4)
    received = search_result_of(msgspec.to_builtins(responses.SearchResult.of(sent, "q")))
    assert responses.SearchResult.of(received, "q") == responses.SearchResult.of(sent, "q")
    assert received.repositories[0].suggested == VARIANT


def test_a_repository_is_the_same_after_the_response() -> None:
    """With its files, and the requested revision for pull targets."""
    sent = responses.ShownRepository.of(REPOSITORY)
    assert repository_of(msgspec.to_builtins(sent), None) == REPOSITORY
    assert repository_of(msgspec.to_builtins(sent), "v1").asked_revision == "v1"


def test_a_model_without_paths_has_no_hashes() -> None:
    """A key without admin rights gets null for the paths, and the hashes of all files."""
    shown = msgspec.to_builtins(responses.Model.of(MODEL, None, is_for_admin=False))
    model = model_of(shown)
    assert (model.paths, model.hashes, model.projector, model.last_used_at) == ((), (), None, None)
