"""Discarding the unfinished pulls of a target."""

from pathlib import Path

import pytest

from gglib.app.models.pulls import discard_target
from gglib.app.settings import Settings, prepare_home
from gglib.core.models import ModelSource
from gglib.core.versions import PullJob
from gglib.library.pull.jobs import lock_of
from gglib.library.versions.locks import HomeLocks
from gglib.testing import FakeCatalog

Q4, Q8 = "ada/m:Q4_K_M", "ada/m:Q8_0"
KEYS = {Q4: "4" * 16, Q8: "8" * 16}


@pytest.fixture(name="settings")
def make_settings(tmp_path: Path) -> Settings:
    """Return the settings of a new home."""
    settings = Settings(home=tmp_path / "home")
    prepare_home(settings)
    return settings


@pytest.fixture(name="store")
async def make_store() -> FakeCatalog:
    """Return a catalogue with the unfinished pulls of two quantizations."""
    store = FakeCatalog()
    for asked, key in KEYS.items():
        await store.begin_pull(
            PullJob(key=key, asked=asked, name="m", aliases=(), source=ModelSource(), files=())
        )
    return store


@pytest.mark.parametrize(("target", "left"), [(Q4, [Q8]), ("ada/m", [Q4, Q8]), ("ada/m:Q2_K", [Q4, Q8])])
async def test_only_the_pull_of_exactly_this_target_is_discarded(
    settings: Settings, store: FakeCatalog, target: str, left: list[str]
) -> None:
    """Afterwards none is left, also if there was none."""
    assert await discard_target(settings, store, target)
    assert [job.asked for job in await store.list_pulls()] == left


async def test_a_pull_that_another_process_runs_is_kept(settings: Settings, store: FakeCatalog) -> None:
    """The result says that it is not gone."""
    with HomeLocks(settings.home).try_hold(lock_of(KEYS[Q4]), what="the pull"):
        assert not await discard_target(settings, store, Q4)
    assert len(await store.list_pulls()) == 2
