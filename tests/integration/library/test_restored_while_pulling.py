"""A backup becomes the catalogue while a pull is under way, of which it knows nothing."""

import asyncio
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path

import pytest
from tests.unit.library.pull_house import REPO, House, soon

from gglib.db import SqliteCatalog
from gglib.db.backup import back_up, restore
from gglib.gguf import read_model
from gglib.library.add import AddRequest, add_model
from gglib.library.pull.enter import finish_interrupted
from gglib.library.pull.execute import PulledModel, PullProgress
from gglib.library.pull.jobs import sweep
from gglib.testing import write_tiny_gguf

NAME = "tiny-Q4_K_M.gguf"


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """Yield a house whose catalogue was backed up while it was empty; no two models are added at the same time."""
    (tmp_path / "home").mkdir()
    async with SqliteCatalog(tmp_path / "home" / "gglib.db", clock=count(1).__next__) as store:
        house = House(tmp_path, store)
        back_up(tmp_path / "home" / "gglib.db", tmp_path / "backup")
        yield house


async def half_pulled(house: House) -> "asyncio.Task[PulledModel]":
    """Begin a pull; return it when half of its file is there, and it waits."""
    house.hub.holds[NAME] = asyncio.Event()
    reached = asyncio.Event()

    def tell(progress: PullProgress) -> None:
        if 2 * progress.done_bytes >= (progress.total_bytes or 0):
            reached.set()

    pull = asyncio.create_task(house.puller.pull(await house.plan(), tell))
    await soon(reached)
    return pull


async def put_back(house: House) -> None:
    """Restore the backup, and do what the next command does with what kills left."""
    restore(house.home / "gglib.db", house.home.parent / "backup")
    assert (await house.store.list_models(), await house.store.list_pulls()) == ([], [])
    assert await finish_interrupted(house.site) == []
    await sweep(house.site)


async def test_what_comes_is_not_swept(house: House) -> None:
    """The pull holds its lock, whatever the catalogue knows: it goes on, and enters its model."""
    pull = await half_pulled(house)
    before = house.incoming()
    await put_back(house)
    assert house.incoming() == before != []
    house.hub.holds[NAME].set()
    model = (await pull).model
    assert [fetch.start_bytes for fetch in house.hub.fetches] == [0]
    assert model.paths[0].read_bytes() == house.file
    assert await house.store.list_models() == [model]
    assert house.incoming() == []


async def test_a_model_with_the_id_of_the_updated_one_is_another(house: House) -> None:
    """The backup counts ids from where it was: what the user adds then is not what the update is of."""
    updated = (await house.pull()).model
    house.changes(NAME, house.other_file)
    pull = await half_pulled(house)
    await put_back(house)
    file = write_tiny_gguf(house.home.parent / "mine.gguf", seed=9)
    mine = await add_model(AddRequest(path=file), house.store, read_model, house.models)
    assert mine.id == updated.id
    house.hub.holds[NAME].set()
    pulled = await pull
    assert pulled.model.paths[0].read_bytes() == house.other_file
    assert await house.store.list_models() == [mine, pulled.model]
    assert await house.store.resolve_model(f"{REPO}:Q4_K_M") == pulled.model


async def test_a_pulled_model_with_the_id_of_the_updated_one_is_another(house: House) -> None:
    """Also one that was pulled since."""
    updated = (await house.pull()).model
    house.changes(NAME, house.other_file)
    pull = await half_pulled(house)
    await put_back(house)
    house.hub.add_repository("eve/else", {"else-Q8_0.gguf": house.third_file})
    other = (await house.pull("eve/else:Q8_0")).model
    assert other.id == updated.id
    house.hub.holds[NAME].set()
    pulled = await pull
    assert await house.store.list_models() == [other, pulled.model]
