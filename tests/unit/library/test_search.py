"""Search results, and the judgement of memory; the hub is in memory."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from gglib.core.context import FALLBACK_TRAINED_CONTEXT, UNLIMITED_CONTEXT
from gglib.core.errors import (
    GatedRepositoryError,
    HubBusyError,
    InvalidGgufError,
    UnsafeNameError,
    VariantChoiceError,
)
from gglib.core.gguf_names import FileKind
from gglib.core.hub.repository import (
    Gating,
    HubFile,
    HubRepository,
    HubSort,
    RemoteFile,
)
from gglib.core.hub.variants import Variants
from gglib.core.memory import Fit, MachineMemory
from gglib.core.models import GgufFacts
from gglib.library import search
from gglib.library.fit.estimate import estimate
from gglib.library.search import (
    HEADER_BYTES,
    MAX_CONCURRENT_HEADERS,
    MAX_LIMIT,
    ModelFinder,
)
from gglib.library.variants.find import find_variants
from gglib.library.variants.pull_target import PullTarget
from gglib.proxy.routes import responses
from gglib.testing import FakeHub

GB = 10**9
HEADER = b"header"
FACTS = GgufFacts(
    architecture="llama",
    quantization="Q4_K_M",
    parameter_count=8 * GB,
    trained_context=4096,
    block_count=32,
    embedding_length=4096,
    head_count=32,
    head_count_kv=8,
)
LADDER = ("o/m", {"m-Q4_K_M.gguf": 5 * GB, "m-Q8_0.gguf": 9 * GB, "m-F16.gguf": 70 * GB})


RepositorySpec = tuple[str, Mapping[str, int | bytes], Mapping[str, Any]]
"""A repository: its name, the sizes of its files, what else the hub says of it."""


class Hub(FakeHub):
    """A hub whose files all have the same start; it records requests, and lets reads wait at a gate."""

    def __init__(
        self,
        *repositories: RepositorySpec,
        start: Callable[[], bytes] = lambda: HEADER,
        gate: asyncio.Event | None = None,
    ) -> None:
        super().__init__()
        self.requested: list[object] = []
        self.skipped: list[int] = []
        """How many of the best each search passed over."""
        self.reading = 0
        self.most_reading = 0
        self.is_busy = asyncio.Event()
        """Set once as many read as may."""
        self._start = start
        self._gate = gate
        for repo, sizes, metadata in repositories:
            self.add_repository(repo, sizes, **metadata)

    async def search(self, query: str, *, sort: HubSort, limit: int, skip: int = 0) -> list[HubRepository]:
        self.requested.append((query, sort, limit))
        self.skipped.append(skip)
        return await super().search(query, sort=sort, limit=limit, skip=skip)

    async def read_start(self, file: RemoteFile, length_bytes: int) -> bytes:
        self.requested.append((file.repo, file.name, length_bytes))
        self.reading += 1
        self.most_reading = max(self.most_reading, self.reading)
        if self.reading == MAX_CONCURRENT_HEADERS:
            self.is_busy.set()
        try:
            if self._gate is not None:
                await self._gate.wait()
            return self._start()
        finally:
            self.reading -= 1


def repository(repo: str, sizes: Mapping[str, int | bytes], **metadata: Any) -> RepositorySpec:
    """Return a repository with files of these sizes."""
    return repo, sizes, metadata


def model_finder(
    hub: Hub, *, free_bytes: int = 12 * GB, context: int = 2048, headers_wait_s: float = 60
) -> ModelFinder:
    """Return a finder for a machine with the given free memory."""

    def read_facts(start: bytes) -> GgufFacts:
        if start != HEADER:
            raise InvalidGgufError("no header")
        return FACTS

    return ModelFinder(
        hub=hub,
        memory=MachineMemory(total_bytes=64 * GB, available_bytes=free_bytes),
        context=context,
        slots=4,
        read_facts=read_facts,
        headers_wait_s=headers_wait_s,
    )


async def test_each_quantization_is_judged_by_one_header() -> None:
    """One short read a repository gives the shape for all of them; the suggestion is what a pull would take."""
    hub = Hub(repository(*LADDER))
    (found,) = (await model_finder(hub).search("m", sort=HubSort.LIKES, limit=3)).repositories
    assert hub.requested == [("m", HubSort.LIKES, 3), ("o/m", "m-Q4_K_M.gguf", HEADER_BYTES)]
    assert [result.variant.label for result in found.results] == ["Q4_K_M", "Q8_0", "F16"]
    for result in found.results:
        facts = replace(FACTS, quantization=result.variant.quantization)
        assert result.need == estimate(
            facts, weights_bytes=result.variant.size_bytes, context=2048, slots=result.slots
        )
        assert result.need.is_exact
    assert found.results[0].fit is Fit.FITS
    assert found.results[-1].fit is Fit.TOO_LARGE
    assert found.suggested is found.results[0].variant
    assert (found.architecture, found.parameter_count, found.trained_context) == ("llama", 8 * GB, 4096)


@pytest.mark.parametrize(("context", "judged"), [(2048, 2048), (8192, 4096), (UNLIMITED_CONTEXT, 4096)])
async def test_memory_is_judged_for_at_most_the_trained_context(context: int, judged: int) -> None:
    """That is the context of a launch."""
    found = await model_finder(Hub(repository(*LADDER)), context=context).show(PullTarget(repo="o/m"))
    assert found.context == judged
    expected = estimate(FACTS, weights_bytes=GB, context=judged, slots=found.results[0].slots)
    assert found.results[0].need.kv_bytes == expected.kv_bytes


def refuse() -> bytes:
    """Refuse to give a header."""
    raise GatedRepositoryError("gated")


@pytest.mark.parametrize("start", [refuse, lambda: b"<html>"])
async def test_without_a_header_the_need_is_guessed(start: Callable[[], bytes]) -> None:
    """Gated or broken: the hub's metadata of the model serves instead, and the estimate is marked as a guess."""
    hub = Hub(repository(*LADDER, parameter_count=7 * GB, trained_context=1024), start=start)
    (found,) = (await model_finder(hub).search("m")).repositories
    assert found.context == 1024
    assert found.parameter_count == 7 * GB
    assert not found.results[0].need.is_exact
    assert found.results[0].need == estimate(
        None, weights_bytes=5 * GB, context=1024, slots=4, parameter_count=7 * GB
    )


async def test_unknown_context_has_a_ceiling() -> None:
    """A default of the whole trained context is capped if that is unknown."""
    hub = Hub(repository(*LADDER), start=refuse)
    found = await model_finder(hub, context=UNLIMITED_CONTEXT).show(PullTarget(repo="o/m"))
    assert found.context == FALLBACK_TRAINED_CONTEXT


async def test_slow_hub_delays_no_result() -> None:
    """Headers that miss the deadline are left out, and no task is left waiting for them."""
    hub = Hub(repository(*LADDER), gate=asyncio.Event())
    (found,) = (await model_finder(hub, headers_wait_s=0).search("m")).repositories
    assert not found.results[0].need.is_exact
    assert hub.reading == 0


async def test_headers_are_read_with_bounded_concurrency() -> None:
    """A long list does not flood the hub."""
    gate = asyncio.Event()
    hub = Hub(*(repository(f"o/m{number}", {"m-Q8_0.gguf": GB}) for number in range(20)), gate=gate)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(model_finder(hub).search("m", limit=20))
        await hub.is_busy.wait()
        gate.set()
    assert all(found.results[0].need.is_exact for found in task.result().repositories)
    assert hub.most_reading == MAX_CONCURRENT_HEADERS


async def test_header_does_not_apply_to_other_models() -> None:
    """Of a repository with several models only the one that was read is known."""
    hub = Hub(repository("o/m", {"m-1B-Q8_0.gguf": GB, "m-9B-Q8_0.gguf": 9 * GB}, parameter_count=GB))
    (found,) = (await model_finder(hub).search("m")).repositories
    assert [result.need.is_exact for result in found.results] == [True, False]
    assert found.results[1].need == estimate(None, weights_bytes=9 * GB, context=2048, slots=4)
    assert found.suggested is None


async def test_larger_models_are_not_shown() -> None:
    """Neither models nor repositories without a match; more results are requested to fill the page."""
    big, none = repository("o/big", {"m-Q8_0.gguf": 8 * GB}), repository("o/none", {"mmproj-F16.gguf": GB})
    hub = Hub(big, repository(*LADDER), none)
    result = await model_finder(hub).search("o/", limit=2, max_size_bytes=5 * GB)
    assert hub.requested[0] == ("o/", HubSort.DOWNLOADS, 4)
    assert hub.skipped[:2] == [0, 4]
    (found,) = result.repositories
    assert [hit.variant.label for hit in found.results] == ["Q4_K_M"]
    assert found.suggested is found.results[0].variant
    assert (result.left_out, result.too_large) == (2, 1)
    assert result.searched is None


async def test_small_models_are_searched_further_down() -> None:
    """The top results of a hub are often large: pages are requested until enough match, without duplicates."""
    sizes = [8 * GB] * 40 + [GB] * 5
    hub = Hub(
        *(repository(f"o/m{n}", {"m-Q8_0.gguf": size}, downloads=100 - n) for n, size in enumerate(sizes))
    )
    result = await model_finder(hub).search("m", limit=3, max_size_bytes=5 * GB)
    assert [found.repository.repo for found in result.repositories] == ["o/m40", "o/m41", "o/m42"]
    limits = [
        requested[2] for requested in hub.requested if isinstance(requested, tuple) and requested[0] == "m"
    ]
    assert hub.skipped == [0, *limits[:-1]]
    assert result.searched is None


async def test_search_for_small_models_is_bounded() -> None:
    """After the limit, the result says how many of the top results were checked."""
    hub = Hub(*(repository(f"o/m{n}", {"m-Q8_0.gguf": 8 * GB}) for n in range(MAX_LIMIT + 5)))
    result = await model_finder(hub).search("m", limit=3, max_size_bytes=5 * GB)
    assert (result.repositories, result.left_out, result.too_large) == ((), MAX_LIMIT, MAX_LIMIT)
    assert result.searched == MAX_LIMIT


async def test_hub_failure_keeps_earlier_results() -> None:
    """Results before the failure are shown; without any it is an error."""

    class Tired(Hub):
        async def search(
            self, query: str, *, sort: HubSort, limit: int, skip: int = 0
        ) -> list[HubRepository]:
            if skip:
                raise HubBusyError("later")
            return await super().search(query, sort=sort, limit=limit)

    big = [repository(f"o/big{n}", {"m-Q8_0.gguf": 8 * GB}) for n in range(8)]
    result = await model_finder(Tired(repository(*LADDER), *big)).search("o/", limit=2, max_size_bytes=5 * GB)
    assert [found.repository.repo for found in result.repositories] == ["o/m"]
    assert result.searched == 4
    with pytest.raises(HubBusyError):
        await model_finder(Tired(*big)).search("o/", limit=2, max_size_bytes=5 * GB)


async def test_suggestion_is_among_the_shown_results() -> None:
    """A better variant that is left out is not suggested."""
    hub = Hub(repository("o/m", {"m-Q2_K.gguf": GB, "m-Q4_K_M.gguf": 2 * GB}))
    (found,) = (await model_finder(hub).search("m", max_size_bytes=GB)).repositories
    assert found.suggested is found.results[0].variant
    assert found.suggested.label == "Q2_K"


async def test_invalid_repository_name_is_not_shown() -> None:
    """It could not be pulled, and is not written to a terminal."""
    hostile = repository("o/\x1b[2Jm", {"m-Q8_0.gguf": GB})
    result = await model_finder(Hub(hostile, repository(*LADDER))).search("m")
    assert [found.repository.repo for found in result.repositories] == ["o/m"]
    assert result.left_out == 1
    with pytest.raises(UnsafeNameError):
        await model_finder(Hub(hostile)).show(PullTarget(repo="o/\x1b[2Jm"))


async def test_limit_bounds_results_and_checks() -> None:
    """Also if more was requested."""
    hub = Hub(*(repository(f"o/m{number}", {"m-Q8_0.gguf": GB}) for number in range(8)))
    result = await model_finder(hub).search("m", limit=2, max_size_bytes=5 * GB)
    assert [found.repository.repo for found in result.repositories] == ["o/m0", "o/m1"]
    assert len(hub.requested) == 3


async def test_repository_is_shown_with_every_file() -> None:
    """Models first, in shard order; then the rest, with each file's kind."""
    sizes = {
        "README.md": 1,
        "m-F16-00002-of-00002.gguf": 9 * GB,
        "m-F16-00001-of-00002.gguf": 9 * GB,
        "m-Q4_0.gguf": GB,
        "mmproj-F16.gguf": GB,
        "\x1b\u202e.gguf": GB,
        "x-Q8_0-00001-of-00002.gguf": GB,
    }
    found = await model_finder(Hub(repository("o/m", sizes))).show(PullTarget(repo="o/m", revision="main"))
    assert [(file.file.name, file.kind) for file in found.files()] == [
        ("m-Q4_0.gguf", FileKind.MODEL),
        ("m-F16-00001-of-00002.gguf", FileKind.SHARD),
        ("m-F16-00002-of-00002.gguf", FileKind.SHARD),
        ("\x1b\u202e.gguf", FileKind.MODEL),
        ("README.md", FileKind.OTHER),
        ("mmproj-F16.gguf", FileKind.PROJECTOR),
        ("x-Q8_0-00001-of-00002.gguf", FileKind.SHARD),
    ]
    assert [file.file.name for file in found.files() if file.is_unsafe] == ["\x1b\u202e.gguf"]
    assert found.suggested is found.results[0].variant


@pytest.mark.parametrize("target", [{"quantization": "q8_0"}, {"file": "m-Q8_0.gguf"}])
async def test_named_model_is_shown_alone(target: dict[str, str]) -> None:
    """With its own files and nothing else; an unknown one is an error that lists the models."""
    hub = Hub(repository(*LADDER))
    found = await model_finder(hub).show(PullTarget(repo="o/m", **target))
    assert [file.file.name for file in found.files()] == ["m-Q8_0.gguf"]
    with pytest.raises(VariantChoiceError, match="has no Q2_K"):
        await model_finder(hub).show(PullTarget(repo="o/m", quantization="Q2_K"))


async def test_named_model_keeps_its_projector() -> None:
    """It keeps vision; a projector of another folder is not its own."""
    sizes = {"a/m-Q8_0.gguf": GB, "a/mmproj-F16.gguf": GB, "b/n-Q4_0.gguf": GB}
    seeing = model_finder(Hub(repository("o/m", sizes)))
    found = await seeing.show(PullTarget(repo="o/m", quantization="Q8_0"))
    assert [file.name for file in found.variants.projectors] == ["a/mmproj-F16.gguf"]
    assert (await seeing.show(PullTarget(repo="o/m", quantization="Q4_0"))).variants.projectors == ()


async def test_url_cannot_be_shown() -> None:
    """Only a repository has files to list."""
    with pytest.raises(VariantChoiceError, match="owner/name"):
        await model_finder(Hub()).show(PullTarget(url="https://example.com/a.gguf"))


async def test_json_is_complete_and_printable() -> None:
    """Every part of the estimate is present, and no text of the hub can break a program that parses it."""
    gated = repository(
        "o/m",
        {"m-Q8_0.gguf": GB, "\ud800.gguf": b""},
        licence="\x1b[2J",
        tags=("gguf", "\ud800"),
        gate=Gating.MANUAL,
    )
    result = await model_finder(Hub(gated)).search("m")
    found = json.loads(msgspec.json.encode(responses.SearchResult.of(result, "m")))
    assert found["query"] == "m"
    assert found["memory"] == {"total_bytes": 64 * GB, "available_bytes": 12 * GB, "gpus": []}
    (shown,) = found["repositories"]
    assert shown["gate"] == "manual"
    assert shown["licence"] == r"\x1b[2J"
    assert shown["tags"] == ["gguf", r"\ud800"]
    assert shown["unsafe"] == [r"\ud800.gguf"]
    assert shown["suggested"] == "Q8_0"
    (variant,) = shown["variants"]
    assert variant["pull"] == "o/m:Q8_0"
    assert variant["files"] == [
        {"name": "m-Q8_0.gguf", "size_bytes": GB, "sha256": variant["files"][0]["sha256"]}
    ]
    need = variant["need"]
    parts = [need[f"{part}_bytes"] for part in ("weights", "kv", "compute", "overhead")]
    assert need["is_exact"] is True
    assert sum(parts) == need["total_bytes"] > GB
    assert "left_behind_bytes" in need
    files = msgspec.to_builtins(responses.ShownRepository.of(result.repositories[0]))["files"]
    assert [(file["name"], file["kind"], file["label"], file["unsafe"]) for file in files] == [
        ("m-Q8_0.gguf", "model", "Q8_0", False),
        (r"\ud800.gguf", "model", None, True),
    ]


async def test_long_listing_does_not_block_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """File names are parsed in another thread."""
    threads = set()

    def find_in_thread(files: Iterable[HubFile]) -> Variants:
        threads.add(threading.current_thread())
        return find_variants(files)

    monkeypatch.setattr(search, "find_variants", find_in_thread)
    found = model_finder(Hub(repository(*LADDER)))
    await found.search("m")
    await found.show(PullTarget(repo="o/m"))
    assert threads
    assert threading.current_thread() not in threads
