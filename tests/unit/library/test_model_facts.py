"""The catalogue's facts of a model follow its files, at the cost of a ``stat`` if they are unchanged."""

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gglib.core.errors import (
    CatalogError,
    InvalidGgufError,
    ModelLoadFailedError,
    ModelNotFoundError,
    UnreadableFileError,
)
from gglib.core.models import FileMark, GgufFacts, ModelCapabilities, ModelSettings, ModelSummary, NewModel
from gglib.library.fresh_catalog import REFRESH_S, FreshCatalog
from gglib.library.model_facts import ModelFacts, changed_model
from gglib.testing import FakeCatalog

if TYPE_CHECKING:
    from collections.abc import Callable

PATH = Path("/m.gguf")
MARK = FileMark(100, 5_000_000_000, 5_000_000_000, 7, 1)
CHATS = ModelCapabilities(chat=True)
FACTS = GgufFacts(architecture="llama", trained_context=8192, capabilities=CHATS)
MODEL = ModelSummary(
    id=1,
    name="m",
    paths=(PATH,),
    size_bytes=100,
    architecture="llama",
    trained_context=8192,
    capabilities=CHATS,
    added_at=10,
)


@dataclass(frozen=True, slots=True)
class Files:
    """The result of a reader."""

    facts: GgufFacts = FACTS
    paths: tuple[Path, ...] = (PATH,)
    size_bytes: int = 100


class Disk:
    """Files whose stat and headers a test sets; it counts the reads."""

    def __init__(self) -> None:
        self.mark: FileMark | None = MARK
        self.found: Files | Exception = Files()
        self.readings = 0
        self.projector: Path | None = None
        self.meanwhile: Callable[[], None] = lambda: None
        """Happens while the file is read."""
        self.catalog = FakeCatalog([MODEL])
        self.facts = ModelFacts(self.catalog, self.read_model, lambda _: self.mark)

    def read_model(self, path: Path) -> Files:
        """Return the file's header."""
        if path == self.projector:
            return Files(GgufFacts(architecture="clip"))
        self.readings += 1
        self.meanwhile()
        if isinstance(self.found, Exception):
            raise self.found
        return self.found

    async def check(self) -> int | None:
        """Check the model for a launch and return the context that it was trained for."""
        spec = await self.catalog.resolve_for_launch("m")
        assert spec is not None
        assert self.mark is not None
        checked = await self.facts.check(replace(spec, marks=(self.mark,)))
        assert checked.marks == (self.mark,)
        return checked.trained_context


@pytest.fixture
def disk() -> Disk:
    """One disk with one model."""
    return Disk()


async def test_unchanged_file_is_read_once(disk: Disk) -> None:
    """The first launch reads it, the next ones do not."""
    assert [await disk.check() for _ in range(3)] == [8192] * 3
    assert disk.readings == 1


async def test_replaced_file_is_launched_with_its_own_facts(disk: Disk) -> None:
    """The row is updated too; the model keeps its id."""
    await disk.check()
    disk.mark = replace(MARK, inode=8)
    disk.found = Files(GgufFacts(architecture="llama", trained_context=2048))
    assert await disk.check() == 2048
    model = await disk.catalog.resolve_model("m")
    assert model is not None
    assert (model.id, model.trained_context) == (1, 2048)
    assert await disk.check() == 2048
    assert disk.readings == 2


async def test_user_settings_of_a_replaced_file_stay(disk: Disk) -> None:
    """Kind, settings, names and projector are the user's; facts from the header are the new file's."""
    projector, settings = (
        Path("/mmproj.gguf"),
        ModelSettings(context=512, engine_args=("-t", "1"), kind="rerank"),
    )
    disk.catalog = FakeCatalog(
        [replace(MODEL, aliases=("n",), tags=("t",), projector=projector, settings=settings)]
    )
    disk.facts = ModelFacts(disk.catalog, disk.read_model, lambda _: disk.mark)
    disk.projector, disk.mark = projector, replace(MARK, changed_ns=11_000_000_000)
    disk.found = Files(GgufFacts(architecture="qwen3", trained_context=2048, capabilities=CHATS))
    assert await disk.facts.refresh()
    (model,) = await disk.catalog.list_models()
    assert (model.aliases, model.tags, model.projector, model.settings) == (
        ("n",),
        ("t",),
        projector,
        settings,
    )
    assert (model.architecture, model.trained_context) == ("qwen3", 2048)
    assert model.capabilities == ModelCapabilities(rerank=True)
    assert model.detected == ModelCapabilities(chat=True, vision=True)
    before = disk.readings
    assert not await disk.facts.refresh()
    assert disk.readings == before


async def test_change_during_the_read_is_not_undone(disk: Disk) -> None:
    """A pull or the user replaced the row's files meanwhile: the facts of the former files are not stored."""
    disk.found = Files(GgufFacts(architecture="llama", trained_context=2048))
    projector = Path("/mmproj.gguf")

    def change() -> None:
        row = NewModel(name="m", paths=(PATH,), size_bytes=100, facts=FACTS, projector=projector)
        asyncio.run(disk.catalog.replace_model("m", row))

    disk.meanwhile, disk.mark = change, replace(MARK, changed_ns=11_000_000_000)
    await disk.facts.refresh()
    (model,) = await disk.catalog.list_models()
    assert (model.projector, model.trained_context) == (projector, 8192)


@pytest.mark.parametrize("capabilities", [ModelCapabilities(embedding=True), ModelCapabilities()])
async def test_a_row_of_an_older_gglib_is_read_again(disk: Disk, capabilities: ModelCapabilities) -> None:
    """It knew no rerankers and no pooling, and the file has not changed since."""
    disk.catalog = FakeCatalog([replace(MODEL, capabilities=capabilities)])
    disk.facts = ModelFacts(disk.catalog, disk.read_model, lambda _: disk.mark)
    disk.found = Files(replace(FACTS, capabilities=ModelCapabilities(rerank=True), pooling="rank"))
    assert await disk.facts.refresh()
    (model,) = await disk.catalog.list_models()
    assert (model.capabilities, model.pooling) == (ModelCapabilities(rerank=True), "rank")
    assert not await disk.facts.refresh()


async def test_broken_file_is_read_once_and_again_when_it_changes(disk: Disk) -> None:
    """Its refusal costs a ``stat``; any change leads to a new read."""
    disk.found = InvalidGgufError("incomplete: it has 1 of the 2 bytes that it needs")
    for _ in range(3):
        with pytest.raises(
            ModelLoadFailedError,
            match=r"the file 'm\.gguf' cannot be used: incomplete.*; put the complete file",
        ):
            await disk.check()
    assert disk.readings == 1
    disk.mark, disk.found = replace(MARK, changed_ns=6_000_000_000), Files()
    assert await disk.check() == 8192


async def test_system_error_is_not_remembered(disk: Disk) -> None:
    """The system had no descriptor left: the next request reads again."""
    disk.found = UnreadableFileError("cannot be read: Too many open files")
    for _ in range(2):
        with pytest.raises(ModelLoadFailedError, match="Too many open files"):
            await disk.check()
    assert disk.readings == 2


async def test_model_removed_meanwhile_is_not_launched(disk: Disk) -> None:
    """It is not found, as for the next request."""
    spec = await disk.catalog.resolve_for_launch("m")
    assert spec is not None
    await disk.catalog.remove_model("m")
    with pytest.raises(ModelNotFoundError):
        await disk.facts.check(spec)


async def test_refresh_reads_only_files_that_may_have_changed(disk: Disk) -> None:
    """A file that is older than its row and of the same size is not read, however often it is checked."""
    for _ in range(3):
        assert not await disk.facts.refresh()
    assert disk.readings == 0


@pytest.mark.parametrize(
    "mark",
    [
        replace(MARK, size_bytes=99),
        replace(MARK, modified_ns=10_500_000_000),
        replace(MARK, changed_ns=11_000_000_000),
    ],
    ids=["another size", "in the second of the row", "moved there later"],
)
async def test_refresh_finds_a_file_replaced_before_startup(disk: Disk, mark: FileMark) -> None:
    """It is read once, whatever identified it."""
    disk.mark = mark
    disk.found = Files(GgufFacts(architecture="llama", trained_context=2048))
    assert await disk.facts.refresh()
    assert not await disk.facts.refresh()
    (model,) = await disk.catalog.list_models()
    assert model.trained_context == 2048
    assert disk.readings == 1


@pytest.mark.parametrize("happens", ["gone", "broken"])
async def test_refresh_keeps_the_row_of_a_file_without_facts(disk: Disk, happens: str) -> None:
    """A file that is missing or broken leaves the row unchanged."""
    if happens == "gone":
        disk.mark = None
    else:
        disk.mark, disk.found = replace(MARK, size_bytes=9), InvalidGgufError("not a GGUF file")
    await disk.facts.refresh()
    await disk.facts.refresh()
    assert await disk.catalog.list_models() == [MODEL]
    assert disk.readings == (happens == "broken")


def test_hashes_of_the_hub_stay() -> None:
    """So ``gglib verify`` finds the damage; a hash that gglib computed itself belongs to another file."""
    found = Files(GgufFacts(architecture="llama", trained_context=2048))
    for is_downloaded, hashes in ((True, ("ab",)), (False, ())):
        known = replace(MODEL, hashes=("ab",), is_downloaded=is_downloaded)
        changed = changed_model(known, found)
        assert changed is not None
        assert changed.hashes == hashes
    assert changed_model(MODEL, Files()) is None


async def test_listing_checks_the_files_at_intervals() -> None:
    """The first one does, and the next ones after ``REFRESH_S``; a failing check fails no listing."""
    now, looks = [0.0], 0

    async def refresh() -> bool:
        nonlocal looks
        looks += 1
        raise CatalogError("The disk is full.")

    catalog = FreshCatalog(FakeCatalog([MODEL]), refresh, lambda: now[0])
    assert await catalog.list_models() == [MODEL]
    assert await catalog.list_models() == [MODEL]
    assert looks == 1
    now[0] = REFRESH_S
    assert await catalog.list_models() == [MODEL]
    assert looks == 2
    assert await catalog.resolve_model("m") == MODEL
    spec = await catalog.resolve_for_launch("m")
    assert spec is not None
    assert spec.model_id == 1
    assert looks == 2
