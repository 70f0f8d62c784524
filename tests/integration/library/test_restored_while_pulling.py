"""A backup is restored during a pull that the backup does not contain."""

import asyncio
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path

import pytest
from tests.unit.library.pull_harness import REPO, PullHarness, soon

from gglib.db import SqliteCatalog
from gglib.db.backup import back_up, restore
from gglib.gguf import read_model
from gglib.library.add import AddRequest, add_model
from gglib.library.pull.execute import PulledModel, PullProgress
from gglib.library.pull.install import finish_interrupted
from gglib.library.pull.jobs import sweep
from gglib.testing import write_tiny_gguf

NAME = "tiny-Q4_K_M.gguf"


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[PullHarness]:
    """Yield a harness whose catalogue was backed up while it was empty; models are added at different times."""
    (tmp_path / "home").mkdir()
    async with SqliteCatalog(tmp_path / "home" / "gglib.db", clock=count(1).__next__) as store:
        harness = PullHarness(tmp_path, store)
        back_up(tmp_path / "home" / "gglib.db", tmp_path / "backup")
        yield harness


async def half_pulled(harness: PullHarness) -> "asyncio.Task[PulledModel]":
    """Start a pull; return it when half of its file has been received, and it waits."""
    harness.hub.pauses[NAME] = asyncio.Event()
    reached = asyncio.Event()

    def on_progress(progress: PullProgress) -> None:
        if 2 * progress.done_bytes >= (progress.total_bytes or 0):
            reached.set()

    pull = asyncio.create_task(harness.puller.pull(await harness.plan(), on_progress))
    await soon(reached)
    return pull


async def put_back(harness: PullHarness) -> None:
    """Restore the backup, and run the clean-up of the next command."""
    restore(harness.home / "gglib.db", harness.home.parent / "backup")
    assert (await harness.store.list_models(), await harness.store.list_pulls()) == ([], [])
    assert await finish_interrupted(harness.site) == []
    await sweep(harness.site)


async def test_what_comes_is_not_swept(harness: PullHarness) -> None:
    """The pull holds its lock, whatever the catalogue contains: it continues and adds its model."""
    pull = await half_pulled(harness)
    before = harness.incoming()
    await put_back(harness)
    assert harness.incoming() == before != []
    harness.hub.pauses[NAME].set()
    model = (await pull).model
    assert [fetch.start_bytes for fetch in harness.hub.fetches] == [0]
    assert model.paths[0].read_bytes() == harness.file
    assert await harness.store.list_models() == [model]
    assert harness.incoming() == []


async def test_a_model_with_the_id_of_the_updated_one_is_another(harness: PullHarness) -> None:
    """The restored catalogue reuses ids: a model that the user adds then is not the one being updated."""
    updated = (await harness.pull()).model
    harness.changes(NAME, harness.other_file)
    pull = await half_pulled(harness)
    await put_back(harness)
    file = write_tiny_gguf(harness.home.parent / "mine.gguf", seed=9)
    mine = await add_model(AddRequest(path=file), harness.store, read_model, harness.models)
    assert mine.id == updated.id
    harness.hub.pauses[NAME].set()
    pulled = await pull
    assert pulled.model.paths[0].read_bytes() == harness.other_file
    assert await harness.store.list_models() == [mine, pulled.model]
    assert await harness.store.resolve_model(f"{REPO}:Q4_K_M") == pulled.model


async def test_a_pulled_model_with_the_id_of_the_updated_one_is_another(harness: PullHarness) -> None:
    """The same holds for a model that was pulled since."""
    updated = (await harness.pull()).model
    harness.changes(NAME, harness.other_file)
    pull = await half_pulled(harness)
    await put_back(harness)
    harness.hub.add_repository("eve/else", {"else-Q8_0.gguf": harness.third_file})
    other = (await harness.pull("eve/else:Q8_0")).model
    assert other.id == updated.id
    harness.hub.pauses[NAME].set()
    pulled = await pull
    assert await harness.store.list_models() == [other, pulled.model]
